"""One self-contained page: the table, rankings with pictures and sounds, boxes, the confusion matrix."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from training.evaluation.report.confusion_chart import chart, worst_mistakes
from training.evaluation.report.pictures import FOUND_COLOUR, TRUE_COLOUR, boxes_uri, sound_uri, thumbnail_uri
from training.evaluation.report.record import Record

TEMPLATE = "page.html.jinja"


def html_report(record: Record) -> str:
    """The page. Whatever comes from the data is escaped; media are data URIs, so the file stands alone."""
    environment = Environment(
        loader=PackageLoader("training.evaluation.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        thumbnail_uri=thumbnail_uri,
        sound_uri=sound_uri,
        boxes_uri=boxes_uri,
        chart=chart,
        worst_mistakes=worst_mistakes,
        true_colour=TRUE_COLOUR,
        found_colour=FOUND_COLOUR,
    )
    return environment.get_template(TEMPLATE).render(record=record)
