"""The page in a real browser, opened from the file system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.leaderboard.browser import chromium
from tests.leaderboard.plausible import CLIPS, METRICS, write_one, write_results
from zoo.evaluation.results import video_name
from zoo.leaderboard.board import build
from zoo.leaderboard.write import write_leaderboard
from zoo.media.video import write_video

EVIL = "</script><img src=x onerror=document.title='broken'>"

CLIP = next(iter(CLIPS))

VIEWS = ("table", "plots", "speed", "clips", f"clip/{CLIP.replace('/', '%2F')}", "protocols", "papers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with a hostile name, and videos of one clip: a bar that moves by 2 pixels with every frame."""
    folder = write_results(tmp_path_factory.mktemp("page") / "results", names={"speech-driven-gan": EVIL})
    frames = torch.full((50, 3, 64, 112), 60, dtype=torch.uint8)
    for place in range(50):
        frames[place, :, 20:44, 2 * place : 2 * place + 12] = 230
    sound = 0.1 * torch.sin(torch.arange(50 * 640) / 8)
    for cell in ("real-seed0-reconstruction", "lipgan-seed0-reconstruction", "still-seed0-reconstruction"):
        write_video(folder / "cells" / cell / "videos" / video_name(CLIP), frames, wave=sound)
    write_leaderboard(folder)
    return folder


@pytest.fixture(scope="module")
def browser(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def phone(browser: Chrome) -> Iterator[Chrome]:
    """The same browser with the screen of a phone."""
    screen = {"width": 360, "height": 780, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def open_view(browser: Chrome, folder: Path, view: str = "table") -> None:
    browser.get("about:blank")
    browser.get(f"{(folder / 'index.html').as_uri()}#/{view}")


def find(browser: Chrome, css: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, css)


def methods(browser: Chrome) -> list[str]:
    return [item.text for item in browser.find_elements(By.CSS_SELECTOR, ".scores .methods .name")]


def button(browser: Chrome, text: str) -> WebElement:
    return browser.find_element(By.XPATH, f"//button[normalize-space()='{text}']")


def no_complaints(browser: Chrome) -> None:
    """Nothing in the console but videos that are not there."""
    log = [line for line in browser.get_log("browser") if "ERR_FILE_NOT_FOUND" not in line["message"]]  # type: ignore[no-untyped-call]
    assert log == []


def test_table_is_the_leaderboard(browser: Chrome, folder: Path):
    open_view(browser, folder)
    board, _ = build(folder)
    assert methods(browser) == [entry.name for entry in board.tracks[0].methods]
    assert (
        find(browser, ".scores .best .value").text.replace("\n", "")
        == f"{board.tracks[0].methods[0].scores['lmd'].value:.2f}★"
    )
    assert "never ranked" in find(browser, ".scores .references").text
    assert "20 clips of 5 speakers" in find(browser, "#subtitle").text
    assert "clips of only 5 speakers" in find(browser, "#main").text
    no_complaints(browser)


def test_sorting_says_so(browser: Chrome, folder: Path):
    open_view(browser, folder)
    board, _ = build(folder, sort="cpbd")
    best_first = [entry.name for entry in board.tracks[0].methods]
    head = "[data-sort='metric:cpbd']"
    find(browser, head).send_keys(Keys.ENTER)  # the keyboard is enough
    assert methods(browser) == best_first
    assert find(browser, f"th:has({head})").get_attribute("aria-sort") == "descending"
    assert browser.switch_to.active_element == find(browser, head)
    focus = browser.execute_script("return getComputedStyle(document.activeElement).outline")  # type: ignore[no-untyped-call]
    assert "solid 2px" in focus  # it is seen where the keyboard is
    find(browser, head).send_keys(Keys.ENTER)
    assert methods(browser) == best_first[::-1]
    assert find(browser, f"th:has({head})").get_attribute("aria-sort") == "ascending"
    assert len(browser.find_elements(By.CSS_SELECTOR, "th[aria-sort]")) == 1


def test_filter_kinds_columns_and_track(browser: Chrome, folder: Path):
    open_view(browser, folder)
    find(browser, "input[type=search]").send_keys("LIPGAN")
    assert methods(browser) == ["lipgan"]
    assert not browser.find_elements(By.CSS_SELECTOR, ".references")
    find(browser, "input[type=search]").send_keys(" nobody")
    assert "No line fits" in find(browser, "#main").text
    open_view(browser, folder)
    browser.find_element(By.XPATH, "//label[.='references']/input").click()
    assert not browser.find_elements(By.CSS_SELECTOR, ".references")
    find(browser, "details.columns summary").click()
    browser.find_element(By.XPATH, "//details//label[.='cpbd']/input").click()
    assert not browser.find_elements(By.CSS_SELECTOR, "[data-sort='metric:cpbd']")
    button(browser, "Cross-speaker").click()
    assert "real" not in find(browser, "#main table").text.split()


def test_headings_open_their_protocol(browser: Chrome, folder: Path):
    open_view(browser, folder)
    find(browser, "button[aria-label='Protocol of wer']").send_keys(Keys.SPACE)
    text = find(browser, "dialog[open]").text
    assert "crop:face256" in text
    assert "ratio of the sums" in text
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not browser.find_elements(By.CSS_SELECTOR, "dialog[open]")
    button(browser, "at-a-glance").click()
    text = find(browser, "dialog[open]").text
    assert "5.81 M" in text
    assert "no face was found in the generated video" in text
    assert "CPU, 1 thread" in text


def test_hostile_names_are_text(browser: Chrome, folder: Path):
    for view in VIEWS:
        open_view(browser, folder, view)
        assert not browser.find_elements(By.CSS_SELECTOR, "img")
        assert browser.title == "SynthGRID · leaderboard"
    open_view(browser, folder)
    assert EVIL in methods(browser)


def test_every_metric_has_its_picture(browser: Chrome, folder: Path):
    open_view(browser, folder, "plots")
    panels = browser.find_elements(By.CSS_SELECTOR, "[data-metric]")
    assert [panel.get_attribute("data-metric") for panel in panels] == [metric.name for metric in METRICS]
    for panel in panels:
        browser.execute_script("arguments[0].scrollIntoView()", panel)  # type: ignore[no-untyped-call]
        WebDriverWait(browser, 5).until(lambda _, panel=panel: panel.find_elements(By.CSS_SELECTOR, "svg .dot"))
        away = panel.find_elements(By.CSS_SELECTOR, "svg .away")
        assert len(panel.find_elements(By.CSS_SELECTOR, "svg .dot")) == (7 - len(away)) * len(CLIPS)
        # The real video's PSNR would squeeze all others; it is told at the edge.
        assert [item.text for item in away] == (["48.0 →"] if panel.get_attribute("data-metric") == "psnr" else [])
    browser.execute_script("document.querySelector('.dot').dispatchEvent(new MouseEvent('click'))")  # type: ignore[no-untyped-call]
    assert browser.current_url.split("#")[1].startswith("/clip/")
    no_complaints(browser)


def test_quality_and_speed(browser: Chrome, folder: Path):
    open_view(browser, folder, "speed")
    WebDriverWait(browser, 5).until(lambda driver: driver.find_elements(By.CSS_SELECTOR, ".panel svg .sign"))
    assert len(browser.find_elements(By.CSS_SELECTOR, ".panel svg .sign")) == 3
    assert "82.4 frames/s on CPU, 1 thread" in find(browser, ".panel svg").get_attribute("innerHTML")  # type: ignore[operator]
    Select(find(browser, "select")).select_by_value("psnr")
    WebDriverWait(browser, 5).until(lambda driver: "psnr" in find(driver, ".panel svg").text)


def test_clips_worst_and_best_first(browser: Chrome, folder: Path):
    open_view(browser, folder, "clips")
    Select(find(browser, "select[aria-label='Of']")).select_by_visible_text("lipgan")
    Select(find(browser, "select[aria-label='by']")).select_by_value("ssim")

    def values() -> list[float]:
        return [float(cell.text) for cell in browser.find_elements(By.CSS_SELECTOR, "#clips tbody td:nth-child(4)")]

    worst = values()
    assert len(worst) == len(CLIPS)
    assert worst == sorted(worst)  # a higher SSIM is better
    button(browser, "best first").click()
    assert values() == worst[::-1]


def test_clip_that_was_not_scored_says_why(browser: Chrome, folder: Path):
    open_view(browser, folder, "clip/s2%2Fclip01")
    assert "at-a-glance, seed 1: no face was found in the generated video" in find(browser, "#main").text
    open_view(browser, folder, "clip/nobody")
    assert "no such clip" in find(browser, "#main").text


def state(browser: Chrome) -> list[dict[str, Any]]:
    script = (
        "return [...document.querySelectorAll('video')].filter((v) => v.duration).map((v) => "
        "({cell: v.dataset.cell, time: v.currentTime, paused: v.paused, muted: v.muted, seeking: v.seeking}))"
    )
    return list(browser.execute_script(script))  # type: ignore[no-untyped-call]


def test_videos_play_in_step(browser: Chrome, folder: Path):
    open_view(browser, folder, VIEWS[4])
    WebDriverWait(browser, 10).until(lambda _: len(state(browser)) == 3)
    WebDriverWait(browser, 10).until(lambda _: len(browser.find_elements(By.CSS_SELECTOR, "figure .none")) == 4)
    assert [item["cell"].split("-")[0] for item in state(browser)] == ["real", "lipgan", "still"]
    assert [item["muted"] for item in state(browser)] == [False, True, True]
    find(browser, "#play").click()
    WebDriverWait(browser, 10).until(lambda _: all(not v["paused"] and v["time"] > 0.3 for v in state(browser)))
    browser.execute_script(  # type: ignore[no-untyped-call]
        "const [first, other] = [...document.querySelectorAll('video')].filter((v) => v.duration);"
        "window.again = false; first.addEventListener('seeking', () => { window.again = true; });"
        "other.currentTime = 0;"
    )
    WebDriverWait(browser, 10, 0.05).until(lambda _: abs(state(browser)[0]["time"] - state(browser)[1]["time"]) < 0.09)
    assert not browser.execute_script("return window.again")  # type: ignore[no-untyped-call]  # not by starting anew
    find(browser, "#play").click()
    WebDriverWait(browser, 10).until(lambda _: all(v["paused"] and not v["seeking"] for v in state(browser)))
    times = [item["time"] for item in state(browser)]
    assert max(times) - min(times) < 0.02
    browser.execute_script(  # type: ignore[no-untyped-call]
        "const s = document.querySelector('input[type=range]'); s.value = 1; s.dispatchEvent(new Event('input'))"
    )
    assert [item["time"] for item in state(browser)] == pytest.approx([1, 1, 1], abs=0.005)
    find(browser, "button[aria-label='One frame on']").click()
    assert [item["time"] for item in state(browser)] == pytest.approx([1.06, 1.06, 1.06], abs=0.005)  # mid frame 26
    Select(find(browser, "select[aria-label='Sound']")).select_by_visible_text("still")
    assert [item["muted"] for item in state(browser)] == [True, True, False]
    rows = find(browser, "#rows").text
    assert "at-a-glance, seed 1" in rows
    no_complaints(browser)


def test_keys_drive_the_player_wherever_the_focus_is(browser: Chrome, folder: Path):
    open_view(browser, folder, VIEWS[4])
    WebDriverWait(browser, 10).until(lambda _: len(state(browser)) == 3)

    def press(key: str) -> None:
        browser.switch_to.active_element.send_keys(key)

    def time() -> float:
        return float(find(browser, ".player .time").text.split(" ")[0])

    find(browser, "button[aria-label='One frame on']").click()
    assert browser.switch_to.active_element.get_attribute("aria-label") == "One frame on"
    press(Keys.ARROW_RIGHT)
    assert time() == pytest.approx(0.10, abs=0.005)  # mid frame 2: the click made one step, the key another
    press(Keys.SPACE)  # is the button's own
    assert time() == pytest.approx(0.14, abs=0.005)
    browser.execute_script("document.querySelector('input[type=range]').focus()")  # type: ignore[no-untyped-call]
    press(Keys.ARROW_LEFT)
    assert time() == pytest.approx(0.10, abs=0.005)
    press(Keys.SPACE)
    WebDriverWait(browser, 10).until(lambda _: all(not item["paused"] for item in state(browser)))
    press(Keys.SPACE)
    browser.execute_script("document.querySelector('.scroll').focus()")  # type: ignore[no-untyped-call]
    before = time()
    press(Keys.ARROW_RIGHT)  # scrolls the table
    assert time() == before
    browser.find_element(By.LINK_TEXT, "next →").click()
    assert browser.switch_to.active_element.get_attribute("id") == "main"
    button(browser, "Cross-speaker").click()
    assert browser.switch_to.active_element.text == "Cross-speaker"


def test_cross_speaker_videos_run_beside_the_real_one(browser: Chrome, folder: Path):
    open_view(browser, folder, VIEWS[4])
    button(browser, "Cross-speaker").click()
    assert find(browser, "figure.real").text.startswith("real, with its own sound")
    assert "sound of s1/clip00" in browser.find_elements(By.TAG_NAME, "figure")[1].text
    WebDriverWait(browser, 10).until(lambda _: [v["cell"] for v in state(browser)] == ["real-seed0-reconstruction"])


def test_a_seed_that_failed_is_seen(browser: Chrome, tmp_path: Path):
    folder = write_results(tmp_path / "fewer", ("reconstruction",))
    (folder / "cells" / "lipgan-seed1-reconstruction" / "rows.jsonl").unlink()
    write_leaderboard(folder)
    open_view(browser, folder)
    line = find(browser, "[data-entry='lipgan']").text
    assert line.count("1 of 2 seeds") == len(METRICS)
    assert "1 of 2 seeds" not in find(browser, "[data-entry='at-a-glance']").text
    assert "seed 1 has no value" in find(browser, ".note").get_attribute("textContent")  # type: ignore[operator]


def test_many_methods_are_told_apart(browser: Chrome, tmp_path: Path):
    folder = write_results(tmp_path / "many", ("reconstruction",))
    for number in range(17):
        write_one(folder, f"method-{number:02d}", "lipgan", 0, "reconstruction", 4)
    write_leaderboard(folder)
    open_view(browser, folder)
    script = (
        "return [...document.querySelectorAll(arguments[0])].map((s) => s.getAttribute('fill') + s.getAttribute('d'))"
    )
    signs = browser.execute_script(script, ".scores .methods .swatch .sign")  # type: ignore[no-untyped-call]
    assert len(signs) == len(set(signs)) == 20
    open_view(browser, folder, "speed")
    WebDriverWait(browser, 5).until(lambda driver: driver.find_elements(By.CSS_SELECTOR, ".panel svg .sign"))
    script = script.replace("s.getAttribute('d')", "s.getAttribute('d').replace(/M\\S+ \\S+?(?=[a-z])/, '')")
    shapes = browser.execute_script(script, ".panel svg .sign")  # type: ignore[no-untyped-call]
    assert len(set(shapes)) == 20
    names = boxes(browser, ".panel svg text.who")
    assert len(names) == 20
    for index, one in enumerate(names):
        assert not [other for other in names[:index] if overlap(one, other)]
    no_complaints(browser)


def boxes(browser: Chrome, css: str) -> list[dict[str, float]]:
    script = "return [...document.querySelectorAll(arguments[0])].map((node) => node.getBoundingClientRect().toJSON())"
    return list(browser.execute_script(script, css))  # type: ignore[no-untyped-call]


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    """By more than a pixel."""
    return all(
        min(one[end], other[end]) - max(one[start], other[start]) > 1
        for start, end in (("left", "right"), ("top", "bottom"))
    )


def test_tables_are_tidy(browser: Chrome, folder: Path):
    """The eye's complaints: tall rows, broken intervals, facts that nobody sees, a choice of order that is not told."""
    open_view(browser, folder)
    assert all(box["height"] < 22 for box in boxes(browser, ".scores .sub"))  # each on one line
    rows = boxes(browser, ".scores tbody tr:not([data-entry*=script])")  # but the one with the endless name
    assert max(row["height"] for row in rows) < 110  # a value, its bar, interval, distance and spread
    facts = [
        head.text.replace("\n", " ").replace("‑", "-")
        for head in browser.find_elements(By.CSS_SELECTOR, ".facts thead th")
    ]
    assert facts == ["method", "is shown", "trained on", "training", "weights", "seeds", "parameters", "frames/s",
                     "real-time factor", "device"]  # fmt: skip
    lipgan = find(browser, ".facts [data-entry='lipgan']").text
    for fact in ("upper half of every frame", "unseen speakers", "2,005 steps in 1.6 min", "2.41 M", "82.4", "0.30"):
        assert fact in lipgan
    assert "plausible numbers of still" in find(browser, ".facts [data-entry='still']").text
    assert find(browser, "th[aria-sort='ascending']").text.startswith("lmd")


def test_without_videos_it_says_so(browser: Chrome, folder: Path):
    open_view(browser, folder, "clip/s1%2Fclip01")
    WebDriverWait(browser, 10).until(lambda _: "do not lie beside this page" in find(browser, "#main").text)
    assert not browser.find_elements(By.CSS_SELECTOR, "figure, .player")
    assert "lipgan, seed 0" in find(browser, "#rows").text


def test_papers_stand_apart_and_bad_psnr_is_flagged(browser: Chrome, folder: Path):
    open_view(browser, folder, "papers")
    assert "not ranked with ours" in find(browser, "#main").text
    flagged = [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "td.left")]
    assert "29.89‡" in flagged
    assert "27.98" not in [text.removesuffix("‡") for text in flagged]  # another paper's PSNR
    assert "wrap around modulo 256" in find(browser, "#main").text


def test_phone_needs_no_sideways_scroll(phone: Chrome, folder: Path):
    for view in VIEWS:
        open_view(phone, folder, view)
        script = "return [document.documentElement.scrollWidth, innerWidth]"
        assert phone.execute_script(script) == [360, 360], view  # type: ignore[no-untyped-call]
        (tab,) = boxes(phone, "nav a[aria-current]")
        assert tab["left"] >= 0, view  # where one is, is seen
        assert tab["right"] <= 360, view
    no_complaints(phone)


def contrast(browser: Chrome, css: str) -> float:
    """WCAG contrast of an element's text with the nearest background that is not transparent."""
    script = """
      const node = document.querySelector(arguments[0]);
      const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
      const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
      const light = (c) => c.slice(0, 3).map((v) => linear(v / 255))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      let back = node;
      while (rgb(getComputedStyle(back).backgroundColor)[3] === 0) back = back.parentElement;
      const [a, b] = [getComputedStyle(node).color, getComputedStyle(back).backgroundColor].map((c) => light(rgb(c)));
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    """
    return float(browser.execute_script(script, css))  # type: ignore[no-untyped-call]


def test_light_and_dark_can_be_read(browser: Chrome, folder: Path):
    backgrounds = []
    for wanted in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": wanted}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        open_view(browser, folder)
        backgrounds.append(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))  # type: ignore[no-untyped-call]
        for css in ("h1", "#subtitle", ".best .value b", ".sub", ".sort", "nav a", ".note summary", "tr.group th"):
            assert contrast(browser, css) >= 4.5, (wanted, css)
    assert backgrounds[0] != backgrounds[1]
    find(browser, "#theme").click()
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == backgrounds[0]  # type: ignore[no-untyped-call]
    browser.execute_script("localStorage.clear()")  # type: ignore[no-untyped-call]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_nothing_is_fetched(folder: Path):
    text = (folder / "index.html").read_text()
    for word in ("http://", "https://", "fetch(", "XMLHttpRequest", "import("):
        assert word not in text.replace("http://www.w3.org/2000/svg", ""), word
