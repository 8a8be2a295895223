"""Endpoints without their ids: `/orders/8123/pay` becomes `/orders/{id}/pay`."""

from __future__ import annotations

# A part of a path that is an id: a number, a UUID, hex of eight characters or more, letters with
# three digits or more, a long mixed token. Numbers of four digits or more inside other parts
# (app.1753775.js) are ids too; v1 and utf8 are not.
_IS_ID = """(
    regexp_full_match(x, '[0-9]+|[A-Za-z]{1,12}[-_]?[0-9]{3,}'
                         '|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}')
    OR (regexp_full_match(x, '[0-9a-fA-F]{8,}|[A-Za-z0-9_=-]{16,}') AND regexp_matches(x, '[0-9]')))
"""
_BARE = r"""
regexp_replace(regexp_replace({value}, '^([A-Z]+ )?(https?://[^/]*)?', ''), '( HTTP/.*|[?#].*)$', '')
"""


def endpoint_sql(value: str) -> str:
    """SQL of the endpoint that a text is: method, host, query and fragment off, {id} for ids.

    The native scanner does the same to fields with too many texts to look at here (endpoint.cpp).
    """
    return f"""
        array_to_string(list_transform(string_split({_BARE.format(value=value)}, '/'), lambda x:
          CASE WHEN NOT regexp_matches(x, '[0-9]') THEN x
               WHEN {_IS_ID} THEN '{{id}}'
               ELSE regexp_replace(x, '[0-9]{{4,}}', '{{id}}', 'g') END), '/')"""
