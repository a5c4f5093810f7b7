"""What a model's confidences are worth: calibrate."""

from functools import partial
from pathlib import Path

import click
from click import FloatRange

from converters.core.errors import InputError
from eval.cli.group import PATH, main
from eval.cli.scoring import BOOTSTRAP_SEED, RESAMPLED


@main.command()
@click.option("--data", type=PATH, required=True, help="Validation rows: a mixture's validation.jsonl.")
@click.option("--predictions", type=PATH, required=True, help="Answers to them, by ecom-eval predict --confidence.")
@click.option("--test-data", type=PATH, help="Test rows, to report on: a mixture's test.jsonl.")
@click.option("--test-predictions", type=PATH, help="Answers to them, by the same model in the same way.")
@click.option("--precision", default=0.95, type=FloatRange(0.5, 0.999), help="What accepted answers should reach.")
@click.option("--out", type=PATH, required=True, help="Folder for calibration.json and confidence.html.")
@click.option("--normaliser", default="strict", help="How values are compared: strict, mave or units.")
@RESAMPLED
@BOOTSTRAP_SEED
def calibrate(
    data: Path,
    predictions: Path,
    test_data: Path | None,
    test_predictions: Path | None,
    precision: float,
    out: Path,
    normaliser: str,
    resamples: int,
    seed: int,
) -> None:
    """Calibrate confidences and choose the thresholds at which a precision holds.

    Fitted on the validation split alone. With a test split, the page says what became of precision and coverage there.

    Example: ecom-eval calibrate --data data/shop/validation.jsonl --predictions runs/shop/eval-val/predictions.jsonl
    --test-data data/shop/test.jsonl --test-predictions runs/shop/eval/predictions.jsonl --out runs/shop/confidence
    """
    from converters.io import jsonl
    from eval.production.confidence import calibrate as fitting
    from eval.report import confidence_page
    from eval.results.schema import Settings

    if (test_data is None) != (test_predictions is None):
        raise InputError("--test-data and --test-predictions belong together: name both or neither")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; --out names a folder")
    fitting.check_held_out(data)
    fitted, reported = fitting.read(data, predictions, normaliser), None
    if test_data and test_predictions:
        reported = fitting.read(test_data, test_predictions, normaliser)
        fitting.check_apart(fitted, reported)
    settings = Settings(normaliser, resamples, seed)
    calibration, drawn = fitting.calibrate(fitted, reported, precision, settings, partial(click.echo, err=True))
    jsonl.write_json(out / "calibration.json", calibration)
    page = confidence_page.write(out, calibration, drawn)
    click.echo(confidence_page.table(calibration))
    click.echo(f"\ncalibration: {out / 'calibration.json'}\nreport: {page}")
