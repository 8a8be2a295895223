"""From lines to records: the grammar of a format, records over several lines, what is packed in them."""
