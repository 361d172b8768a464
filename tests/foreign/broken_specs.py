"""Light specs of the tiny methods in ``broken``, by the names of their classes."""

from __future__ import annotations

from dataclasses import replace

from zoo.registry.spec import MethodSpec, Uses

SOUND = MethodSpec(
    name="sound",
    summary="a still that gets brighter with the sound",
    target="broken:Sound",
    config="broken_config:TinyConfig",
    api_version=2,
    licence="none",
    modes=(("sound", Uses()),),
    capabilities=("photo", "any-length"),
)

CLASSES = (
    *("Sound", "Deaf", "HalfDeaf", "Faceless", "NaN", "Signed", "Bytes", "Windowed", "Noisy", "Drawing", "Counting"),
    *("Threads", "Peeking", "Phoning", "Dead", "Forgotten", "Stuck", "Unsure", "Forgetful", "Odd", "Apart", "Scaling"),
    *("Hoarding", "Wide", "Leaving", "Calling", "Curling", "LipReading", "Prompted", "Fading", "Careless", "Patching"),
    *("Mixing", "Backwards", "Shifted", "Copying", "Dubbed", "Streaming", "Choppy", "Waiting"),
)

SPECS = {name: replace(SOUND, name=name.lower(), target=f"broken:{name}") for name in CLASSES}
SPECS |= {
    name: replace(SPECS[name], capabilities=(*SOUND.capabilities, word))
    for word, names in (
        ("video", ("Copying", "Dubbed")),
        ("stream", ("Choppy", "Waiting")),
    )
    for name in names
}
SPECS |= {name: replace(SPECS[name], modes=(("dub", Uses(driver="video")),)) for name in ("Copying", "Dubbed")}
SPECS["Streaming"] = replace(SPECS["Streaming"], capabilities=("photo", "video", "any-length", "stream"))
SPECS["First"] = MethodSpec(
    name="first",
    summary="the sound one, written for api_version 1",
    target="broken:First",
    config="broken_config:TinyConfig",
    api_version=1,
    licence="none",
    shown="upper half",
    capabilities=("photo", "video", "any-length", "stream"),
)
SPECS["Importing"] = replace(SOUND, name="importing", target="broken_import:Importing")
SPECS["Bare"] = replace(SOUND, name="bare", config="broken_config:Bare")
SPECS["Turned"] = replace(SOUND, name="turned", config="broken_config:Turned")
SPECS["Heavy"] = replace(SOUND, name="heavy", config="broken:TinyConfig")
SPECS["Nowhere"] = replace(SOUND, name="nowhere", target="broken:Nowhere")
SPECS["Boastful"] = replace(SOUND, name="boastful", capabilities=("telepathy",))
SPECS["Nameless"] = replace(SOUND, name="nameless", summary="")
SPECS["Lost"] = replace(SOUND, name="lost", recipes="broken_recipes")
SPECS["Modest"] = replace(SOUND, name="modest", capabilities=())
ANOTHER = replace(SOUND, target="broken:Mixing")
globals().update(SPECS)
