"""Several attribution methods under one text: a column a token, a row a method."""
