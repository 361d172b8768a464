"""FlowNetS for mouth pictures, taught by warps whose flow is known."""
