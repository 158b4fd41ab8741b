"""From handler to HTML: templates without script, and one way to say that something went wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse

from tunnelui.text import clean
from tunnelui_server.control.audit import request_id
from tunnelui_server.control.guard import content_policy

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["ICON", "STYLE", "BadForm", "error_page", "page", "read_form", "single", "wants_html"]

_FOLDER: Final = Path(__file__).parent
STYLE: Final = (_FOLDER / "style.css").read_bytes()
ICON: Final = (_FOLDER / "icon.svg").read_bytes()
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(_FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["clean"] = clean
_MAX_FIELDS: Final = 16


class BadForm(HTTPException):
    """What was sent is not one of our forms."""

    def __init__(self, status: int = 400) -> None:
        super().__init__(status)


def page(template: str, *, status: int = 200, form_action: str = "", **values: Any) -> HTMLResponse:
    """Render one of our pages. Text that came from elsewhere goes through the ``clean`` filter in the template."""
    body = _TEMPLATES.get_template(template).render(values, status=status)
    return HTMLResponse(body, status, headers={"content-security-policy": content_policy(form_action)})


def error_page(request: Request, status: int, title: str, sentence: str, **headers: str) -> Response:
    """Say what went wrong in the form that the client asked for. Nothing of the request is repeated."""
    identifier = request_id(request)
    response: Response
    if wants_html(request):
        response = page("error.html", status=status, title=title, sentence=sentence, request_id=identifier)
    elif "json" in request.headers.get("accept", ""):
        response = JSONResponse({"error": sentence, "request_id": identifier}, status)
    else:
        response = PlainTextResponse(f"{sentence}\nrequest id: {identifier}\n", status)
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


def wants_html(request: Request) -> bool:
    """Whether a person looks at the answer: browsers name HTML, programs do not."""
    return "text/html" in request.headers.get("accept", "")


def single(request: Request, name: str) -> str | None:
    """A query parameter, None when it is missing.

    :raises BadForm: it stands there more than once: two readers could take different ones.
    """
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise BadForm
    return values[0] if values else None


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a posted form; a missing one reads as empty.

    :raises BadForm: another content type, a field that stands twice, text that is not UTF-8, or a client that left in
        the middle. The size of bodies was bounded before (`tunnelui_server.control.protocol`).
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise BadForm(415)
    try:
        text = (await request.body()).decode("ascii")
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, encoding="utf-8", errors="strict")
    except (ValueError, ClientDisconnect):
        raise BadForm from None
    form = dict(fields)
    if len(form) != len(fields):
        raise BadForm
    return form
