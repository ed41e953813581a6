/**
 * The presets of the TIME view: "published" has all inputs that a preset writes, the others what they have instead. Behind the
 * equals sign stands JSON, which tools/presets.py reads, too.
 */
export const PRESETS = {
  "published": {
    "lamb": 0.1,
    "lambda_unit": "absolute",
    "tokens": "all",
    "rho": 1,
    "edit_keys": true,
    "edit_values": true,
    "layers": "all",
    "preserve_mode": "softly",
    "preserve_empty": false
  },
  "recommended": { "lamb": 0.07, "lambda_unit": "relative to the rows" },
  "precise": { "lamb": 0.07, "lambda_unit": "relative to the rows", "tokens": "without padding" }
};
