"""In: a MODEL. Out: the weights by which it reads text (TextReading), and its own way from the text encoder to them.

Read `families` (one file a kind of model), then `projections` (which family is it?), `projector` and `current_weight`;
`own_encoder` doubts that text is what the model was trained with.
"""
