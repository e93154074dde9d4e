"""Events as AWS Lambda hands them over, shaped after its documentation."""

import base64
import json


def body(request) -> str:
    return request if isinstance(request, str) else json.dumps(request)


def function_url(request, *, method="POST", encoded=False):
    """A function URL's event, which is also an HTTP API's with payload version 2.0."""
    text = body(request)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/embed",
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "id.lambda-url.region.on.aws"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "id",
            "http": {"method": method, "path": "/embed", "protocol": "HTTP/1.1"},
            "requestId": "a-request",
            "stage": "$default",
            "timeEpoch": 1583348638390,
        },
        "body": base64.b64encode(text.encode()).decode() if encoded else text,
        "isBase64Encoded": encoded,
    }


def rest_api(request, *, method="POST", encoded=False):
    """API Gateway's event with payload version 1.0."""
    text = body(request)
    return {
        "resource": "/embed",
        "path": "/embed",
        "httpMethod": method,
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "id",
            "httpMethod": method,
            "path": "/prod/embed",
            "requestId": "a-request",
            "stage": "prod",
        },
        "body": base64.b64encode(text.encode()).decode() if encoded else text,
        "isBase64Encoded": encoded,
    }


HTTP = [function_url, rest_api]
