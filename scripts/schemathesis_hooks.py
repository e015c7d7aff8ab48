"""What Schemathesis is told of the interface, beside what its OpenAPI document can say."""

import schemathesis

SEQUENCE_MAX = 2**64 - 1

# Rules that the document states in words, since schemas know no bytes, no doubles, no literals and no keys: a record of sound form that
# breaks one is refused, and rightly. Each is a part of the message of such a refusal.
IN_WORDS = (
    "did:key",
    "signature",
    "whole Unix milliseconds",
)

# The last sequence that an answer named.
latest = 1


def is_sequence(value):
    text = str(value)
    return text.isascii() and text.isdigit() and 0 < int(text) <= SEQUENCE_MAX


@schemathesis.hook
def before_call(context, case, kwargs):
    """Asks for sequences that are there, since for another one the server waits some seconds and answers 503, and for whole lists."""
    parameters = case.operation.definition.raw.get("parameters", [])
    if not any(parameter["name"] == "min_sequence" for parameter in parameters):
        return
    query = case.query if isinstance(case.query, dict) else {}
    if is_sequence(query.get("as_of", "")):
        query["as_of"] = 1
    # Whoever wants to read what was just stored says so.
    if is_sequence(query.get("min_sequence", latest)):
        query["min_sequence"] = latest
    # Nobody gave this one out. What is malformed is sent as it is, to be refused.
    if case.meta is not None and case.meta.generation.mode.is_positive:
        query.pop("cursor", None)
    case.query = query


@schemathesis.hook
def after_call(context, case, response):
    global latest
    if case.method == "POST" and response.status_code in (200, 201):
        answer = response.json()
        latest = max(receipt["sequence"] for receipt in answer.get("results", [answer]))


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drops what is no failure: what was stored after the sequence asked for, and what only words can say."""
    name = type(failure).__name__
    if name == "EnsureResourceAvailability":
        return "as_of=" not in response.request.url
    if name != "RejectedPositiveData":
        return True
    problem = response.json()
    # How long a segment is, its list says, and no schema.
    if problem["code"] == "bad_query":
        return "bytes that are durable" not in problem["detail"]
    if problem["code"] != "invalid_record":
        return True
    details = [error["detail"] for error in problem.get("errors", [])] or [problem["detail"]]
    return not all(any(words in detail for words in IN_WORDS) for detail in details)
