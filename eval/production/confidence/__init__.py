"""What a confidence is worth: calibration on a validation split, thresholds that hold a precision, and how well both did.

``calibrate`` fits and measures, ``calibration`` is what others use: it loads ``calibration.json`` and turns a row's raw
confidences into calibrated ones and into a decision, by numpy alone. Uses scoring, results, answers and metrics. No model is
asked here, and no page is written.
"""

from eval.production.confidence.calibration import Calibration, Decision, calibrated, decide, load, threshold_of

__all__ = ["Calibration", "Decision", "calibrated", "decide", "load", "threshold_of"]
