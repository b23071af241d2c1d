"""The page `/docs`: a service's OpenAPI document to read and to try, by Swagger UI."""

from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.staticfiles import StaticFiles


def install(app: FastAPI) -> None:
    """Serve the page, and what it consists of below it: FastAPI's own would fetch that from the network."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        # Relative to the page, so that they hold below whatever path a proxy gives the service.
        return get_swagger_ui_html(
            title=app.title,
            openapi_url="openapi.json",
            swagger_js_url="docs/swagger-ui-bundle.js",
            swagger_css_url="docs/swagger-ui.css",
            swagger_favicon_url="docs/favicon-32x32.png",
        )

    app.mount("/docs", StaticFiles(packages=[("fastapi_swagger", "resources")]))
