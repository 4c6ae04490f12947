"""What is wrong with one value, and what to write instead: messages for people for pydantic's kinds of error."""

from collections.abc import Mapping

from pydantic_core import ErrorDetails

# Every kind that is not listed here gets UNNAMED: pydantic's own messages are for programmers.
REMEDIES = {
    "missing": "is missing; add it",
    "extra_forbidden": "is not a field here; remove it",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "json_invalid": "is not JSON; send one JSON object",
    "model_attributes_type": "must be a JSON object, sent with Content-Type: application/json",
    "model_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "list_type": "must be a list",
    "ip_v4_address": "must be an IP address",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be text in UTF-8",
    "string_too_short": "is too short; use at least {min_length} characters",
    "string_too_long": "is too long; use at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "has too few entries; use at least {min_length}",
    "too_long": "has too many entries; use at most {max_length}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "value_error": "{error}",
}
UNNAMED = "can't be read; write it as the documentation shows"


def remedy(error: ErrorDetails, others: Mapping[str, str] | None = None) -> str:
    """The remedy for one of pydantic's errors, to follow the name of the field; `others` override REMEDIES."""
    context = dict(error.get("ctx", {}))
    if "expected" in context:
        context["expected"] = str(context["expected"]).replace("'", "")
    message = {**REMEDIES, **(others or {})}.get(error["type"])
    return message.format(**context) if message else UNNAMED


def remedy_with_field(error: ErrorDetails) -> str:
    """The remedy after the name of its field, or alone if the error has a message of its own."""
    if error["type"] == "value_error":
        return remedy(error)
    return f"{' '.join(map(str, error['loc'])).replace('_', ' ')} {remedy(error)}"
