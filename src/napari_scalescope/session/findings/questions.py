"""What somebody asks about."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from ...analysis import Hit
from ...analysis.similarity import regions_above
from ...errors import ScaleScopeError
from ...regions import Regions
from ...slides import Slide, open_slide
from ...worker import NewestOnly
from ..asking import Answers, Area, Example, Picture, Question, Readings, Spot, Words
from ..asking.readings import Library
from .finding import Finding

if TYPE_CHECKING:
    from ..overlays import SimilarityOverlay
    from ..scene import Place

#: So many places answer a question, for "next".
HITS = 100
#: Regions that are kept at once. napari draws thousands of outlines slowly.
KEPT = 500
#: Pieces of a map of tokens that have fewer of them are no regions.
SMALLEST_TOKENS = 4


class Questions(Finding[Question]):
    """The question that is asked, and everything to ask with.

    A question outlives the encoder and the scale it was asked at: it is answered anew.

    Parameters
    ----------
    library : Library
        Where the encoder comes from.
    say, failed : callable
        Told in words what is being waited for, and what went wrong.
    scene : callable
        What there is to answer from.
    look : callable
        How the answer is to be.
    thread : NewestOnly
        Where answers are made.
    answer : callable
        Called when there is something new to answer: to show the map and have the view encoded.
        Told whether scores now mean something else than before.
    again : callable
        Called when something was read, so that the map can be more than it was.

    Attributes
    ----------
    answers : Answers
    readings : Readings
    hits : list of Hit
        The best answers, as far as they were asked for.
    """

    hit_found = Signal(object)
    """(Hit): somebody wants to see this one."""
    hits_found = Signal(object)
    """(list of Hit): these answer best."""
    outlined = Signal(object, float)
    """(Regions, float): what reaches the threshold, and its area in mm²."""

    def __init__(
        self,
        library: Library,
        say: Callable[[str], None],
        failed: Callable[[ScaleScopeError], None],
        scene: Callable[[], Place | None],
        look: Callable[[], SimilarityOverlay],
        thread: NewestOnly,
        answer: Callable[[bool], None],
        again: Callable[[], None],
    ) -> None:
        super().__init__()
        self.readings = Readings(library, say, again, failed)
        self.answers = Answers(self.readings)
        self.hits: list[Hit] = []
        self._failed, self._scene, self._look = failed, scene, look
        self._thread, self._answer = thread, answer
        self._shown = 0  # which hit was shown last, 0 for none
        self._of: Any = None  # what the hits answer

    @property
    def asked(self) -> Question:
        """What is asked; an empty question where nothing is."""
        return self.found or Question()

    def forget(self) -> None:
        """Nothing is asked any more."""
        self.readings.forget_all_but(())
        self.answers.forget()
        self.hits, self._shown, self._of = [], 0, None
        super().forget()

    def close(self) -> None:
        """Accept nothing any more."""
        super().close()
        self.readings.close()

    # --- asking ---

    def put(self, question: Question) -> None:
        """Ask this from now on, and show the answer."""
        if question == self.asked:
            return
        if not question.examples:
            self.forget()
            return
        anew = not self.asked or bool(question.negatives) != bool(self.asked.negatives)
        self.readings.forget_all_but(question.examples)
        self._shown = 0
        self.keep(question, self.generation)
        self._answer(anew)

    def ask(self, x: float, y: float) -> None:
        """What looks like this place (level-0 pixels)?"""
        self.put(Question((Spot(float(x), float(y)),)))

    def also(self, example: Example) -> None:
        """What looks like this too?"""
        self.put(self.asked.also(example))

    def unlike(self, example: Example) -> None:
        """What does not look like this?"""
        self.put(self.asked.unlike(example))

    def also_here(self, x: float, y: float) -> None:
        """What looks like this place too?"""
        self.also(Spot(float(x), float(y)))

    def unlike_here(self, x: float, y: float) -> None:
        """What does not look like this place?"""
        self.unlike(Spot(float(x), float(y)))

    def ask_region(self, region: Any, name: str = "") -> None:
        """What looks like this region (a shapely geometry, level-0 pixels)?"""
        self.put(Question((Area(region, name),)))

    def ask_text(self, text: str) -> None:
        """What looks like this text says ("lymphocytes")?

        The encoder has to read (`Entry.text`). A text that ends with a full stop is taken as it
        is, anything else is worded in several ways (`encoders.text.TEMPLATES`).
        """
        words = Words(" ".join(text.split()))
        if words.text and self.readings.able():
            self.put(Question((words,)))
            self.readings.start(words)

    def ask_image(self, path: str | Path, mpp: float | None = None) -> None:
        """What looks like this image file? It is opened here and now.

        Parameters
        ----------
        path : path
            A PNG or JPEG file, or whatever else a slide can be.
        mpp : float, optional
            µm per pixel of it. Default: what the file says; where it says nothing, whatever scale
            is shown, which the legend then says.
        """
        try:
            slide = open_slide(path, mpp=mpp)
        except ScaleScopeError as error:
            self._failed(error)
            return
        self.put(Question((Picture.of(slide),)))

    def ask_elsewhere(self, slide: Slide, x: float, y: float) -> None:
        """What looks like this place on another slide, seen at the same scale?"""
        self.put(Question((Picture.of(slide, (float(x), float(y))),)))

    def remove(self, example: Example) -> None:
        """Do not ask about this any more."""
        self.put(self.asked.without(example))

    # --- answers ---

    def next(self) -> None:
        """Show the next best answer, after the last one the first: see `hit_found`."""
        self._thread.submit("next hit", self._next)

    def top(self, k: int = 24) -> None:
        """Find the k best answers, in the background: see `hits_found`."""
        self._thread.submit("top hits", partial(self._top, k))

    def outline(self) -> None:
        """Make regions of what reaches the threshold of the map: see `outlined`."""
        self._thread.submit("outlines", self._outline)

    def _found_hits(self) -> list[Hit]:
        from ..scene import Scene

        scene, look = self._scene(), self._look()
        if not isinstance(scene, Scene):
            return []
        of = (self.found, look.measure, scene.emb.key, len(scene.emb))
        if of != self._of:
            self.hits = self.answers.hits(scene, look, HITS)
            self._of = of if self.hits else None
            if not self.hits or self._shown >= len(self.hits):
                self._shown = 0
        return self.hits

    def _next(self) -> None:
        hits = self._found_hits()
        if hits:
            self._shown = self._shown % len(hits) + 1
            self.hit_found.emit(hits[self._shown - 1])

    def _top(self, k: int) -> None:
        self.hits_found.emit(self._found_hits()[:k])

    def _outline(self) -> None:
        from ..scene import Scene

        scene, look = self._scene(), self._look()
        made = look.lay(scene)
        if not isinstance(scene, Scene) or made is None or made.threshold is None:
            return
        found = regions_above(
            made,
            made.threshold,
            scene.emb.grid.slide_mpp,
            label=self.asked.title,
            smallest=SMALLEST_TOKENS if made.smooth else 1,
        )
        kept = Regions(list(found)[:KEPT])
        self.outlined.emit(kept, sum(r.measurements["area mm²"] for r in kept))
