"""Their light specs, by the names of their classes."""

from __future__ import annotations

from dataclasses import replace

from zoo.registry.spec import MethodSpec, Uses

HONEST = MethodSpec(
    name="honest",
    summary="a still that gets brighter with the sound",
    target="untrue.methods:Sound",
    config="broken_config:TinyConfig",
    api_version=2,
    licence="none",
    modes=(("sound", Uses()),),
    capabilities=("any-length",),
)

UNTRUE = (
    *(
        "Album",
        "Awake",
        "Posing",
        "NaNFrames",
        "NaNWeights",
        "Standing",
        "Faint",
        "Fainter",
        "Remembering",
        "Diverging",
    ),
    *("Grainy", "Upper"),
)

SPECS = {"Honest": HONEST}
SPECS |= {name: replace(HONEST, name=name.lower(), target=f"untrue.methods:{name}") for name in UNTRUE}
SPECS |= {
    name: replace(HONEST, name=name.lower(), target=f"untrue.others:{name}")
    for name in ("Bytes", "Signed", "LipReading", "Prompted", "Mixing")
}
SPECS |= {
    name: replace(
        HONEST,
        name=name.lower(),
        target=f"untrue.deaf:{name}",
        modes=(("all", Uses(stills=2, driver="upper half", words=True, labels=("emotion",), arrays=("pose",))),),
        label_values=(("emotion", ("happy", "sad")),),
        array_shapes=(("pose", (2, 3)),),
    )
    for name in ("Attentive", "Blind", "Dimly", "Wordless", "Moodless", "Poseless", "Single")
}
SPECS["Untold"] = replace(SPECS["Attentive"], name="untold", label_values=())
SPECS["Upper"] = replace(SPECS["Upper"], modes=(("dub", Uses(driver="upper half")),))
SPECS["Posing"] = replace(SPECS["Posing"], api_version=1)
SPECS["Boastful"] = replace(SPECS["Upper"], name="boastful", target="untrue.boastful.method:Boastful")
globals().update(SPECS)
