"""From a path and a form to a page: which of the two kinds of questions is asked, and what the page then shows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from converters.core.errors import InputError
from eval.production.trying import forms, products, questions
from eval.production.trying.forms import Refusal
from eval.production.trying.loading import Loaded
from eval.production.trying.views import About, Answer, Product

HOME, PRODUCT, QUESTION = "/", "/product", "/question"
NOT_HERE = Refusal(404, "there is no such page")
Render = Callable[[About, Mapping[str, str], Product | Answer | None, str], str]


class Response(NamedTuple):
    """An HTTP status and a page."""

    status: int
    page: str


@dataclass(frozen=True, slots=True)
class Site:
    """A loaded run, and what the page says of it; ``render`` draws the page, given that, a form's fields, a result, an error."""

    loaded: Loaded
    about: About
    render: Render


def show(site: Site, path: str, refusal: Refusal | None = None) -> Response:
    """Return the page with empty forms; ``refusal`` is what was wrong with a request that could not even be read."""
    if refusal is None and path not in (HOME, PRODUCT, QUESTION):
        refusal = NOT_HERE
    status, error = refusal or (200, "")
    return Response(status, site.render(site.about, {}, None, error))


def answer(site: Site, path: str, given: Mapping[str, str]) -> Response:
    """Return the page that answers a form."""
    found: Product | Answer | Refusal
    try:
        found = _answer(site, path, given)
    except InputError as error:  # an endpoint that went away, a prompt longer than the model reads
        found = Refusal(503 if site.about.backend == "openai" else 422, str(error))
    if isinstance(found, Refusal):
        return Response(found.status, site.render(site.about, given, None, found.sentence))
    return Response(200, site.render(site.about, given, found, ""))


def _answer(site: Site, path: str, given: Mapping[str, str]) -> Product | Answer | Refusal:
    loaded = site.loaded
    store, context, labeller = loaded.store, loaded.run.context, loaded.labeller
    if path == PRODUCT and labeller:
        texts = forms.product(given, site.about.texts)
        found = texts if isinstance(texts, Refusal) else products.label(loaded, labeller, texts)
        return Refusal(422, found) if isinstance(found, str) else found
    if path == QUESTION and store and context:
        asked = forms.question(given, store)
        return asked if isinstance(asked, Refusal) else questions.answer(loaded, store, context, asked)
    return NOT_HERE
