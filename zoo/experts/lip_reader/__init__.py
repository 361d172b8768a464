"""LipNet: what does this mouth say?"""
