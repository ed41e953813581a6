/**
 * The presets of the mask view: "published" has all inputs that a preset writes, the others what they have instead. Behind the
 * equals sign stands JSON, which tools/presets.py reads, too.
 */
export const PRESETS = {
  "published": {
    "maps": 10,
    "noise_strength": 0.5,
    "rule": "mean ratio",
    "rule.threshold_ratio": 3.0,
    "rule.threshold": 0.5,
    "outline": "cells",
    "smooth": 0.0,
    "grow": 0,
    "fill_holes": false,
    "focus": "everywhere"
  },
  "recommended": {
    "maps": 4,
    "rule": "paper",
    "rule.outliers": 2.0,
    "rule.threshold": 0.5,
    "outline": "edges of picture",
    "outline.reach": 4,
    "fill_holes": true
  },
  "another thing": {
    "maps": 4,
    "rule": "paper",
    "rule.outliers": 2.0,
    "rule.threshold": 0.5,
    "outline": "edges of picture",
    "outline.reach": 4,
    "grow": 1,
    "fill_holes": true
  },
  "one of several": {
    "maps": 4,
    "noise_strength": 0.3,
    "rule": "otsu",
    "rule.area_floor": 0.5,
    "outline": "edges of picture",
    "outline.reach": 4,
    "fill_holes": true,
    "focus": "words that change"
  }
};
