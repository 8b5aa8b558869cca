"""The wires between a session's questions and the controls that ask them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..analysis import Hit
from .coordinator import Coordinator
from .overlays.similarity import LookFor, SimilarityOptions


class Asking:
    """Connects controls to the questions of a coordinator's session, and shows what they are.

    Parameters
    ----------
    hub : Coordinator
    options : SimilarityOptions
    look_for : LookFor
    say : callable
        Told what was done with regions.
    owner : object
        The dock they are in: when it goes, so do the wires.
    """

    def __init__(
        self,
        hub: Coordinator,
        options: SimilarityOptions,
        look_for: LookFor,
        say: Callable[[str], None],
        owner: object,
    ) -> None:
        self._hub, self._options, self._look_for, self._say = hub, options, look_for, say
        questions = hub.session.questions
        look_for.asked.connect(questions.ask_text)
        options.next_requested.connect(questions.next)
        options.top_requested.connect(questions.top)
        options.regions_requested.connect(questions.outline)
        options.image_chosen.connect(questions.ask_image)
        options.drawn_requested.connect(self._ask_drawn)
        options.forget_requested.connect(questions.forget)
        options.removed.connect(questions.remove)
        options.hit_chosen.connect(hub.fly_to)
        hub.said.connect(say)
        hub.main.on(questions.changed, self._show_question, owner)
        hub.main.on(questions.hits_found, self._show_hits, owner)
        hub.main.on(hub.session.map.changed, self._show_map, owner)
        hub.main.on(hub.session.slide_changed, self._show_slide, owner)
        for show in (self._show_slide, self._show_question, self._show_map):
            show()

    @property
    def keys(self) -> Sequence[tuple[str, Callable[[], Any]]]:
        """Keys, and what they do."""
        return (("S", self._ask_at_cursor), ("N", self._hub.session.questions.next))

    def _ask_at_cursor(self) -> None:
        at = self._hub.session.cursor
        if at is not None:
            self._hub.session.questions.ask(*at)

    def _ask_drawn(self) -> None:
        import shapely

        drawn = self._hub.layers.regions()
        if not len(drawn):
            self._say("Draw a region first.")
            return
        every = shapely.union_all([r.geometry for r in drawn])
        self._hub.session.questions.ask_region(every, "as drawn")

    def _show_slide(self) -> None:
        slide = self._hub.session.slide
        self._options.suggest(slide.path.parent if slide is not None and slide.path else None)

    def _show_question(self) -> None:
        asked = self._hub.session.questions.asked
        self._look_for.show_words(asked.text)
        self._options.show_question(asked)
        if self._options.sheet.isVisible() and asked:
            self._hub.session.questions.top()  # the pictures answer what is asked now

    def _show_map(self) -> None:
        session = self._hub.session
        shown = session.map.found if session.look.overlay == "similarity" else None
        self._options.show_map(shown)

    def _show_hits(self, hits: list[Hit]) -> None:
        session = self._hub.session
        units = {"cosine": "by cosine", "whitened": "by whitened cosine", "rank": "by rank"}
        self._options.show_hits(session.slide, hits, units[session.look.similarity.measure])


def similarity_of(options: Any) -> SimilarityOptions:
    """The options of the similarity map among those of all overlays."""
    found = options["similarity"]
    assert isinstance(found, SimilarityOptions)
    return found
