"""Files that a seller uploads: what is kept of them, and how large they may be."""

from hashlib import sha256

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from sandbox.after_sales.model import Upload

MEGABYTE = 1024 * 1024
MAX_ATTACHMENT_BYTES = 3 * MEGABYTE
MAX_ATTACHMENTS = 10


def is_multipart(request: Request) -> bool:
    """Tell whether a request brings a form with files."""
    return request.headers.get("content-type", "").startswith("multipart/form-data")


async def read_files(form: FormData, field: str) -> list[tuple[Upload, bytes]] | None:
    """Give the files of one field with their contents; None where a part of that name is no file."""
    files = []
    for part in form.getlist(field):
        if not isinstance(part, UploadFile):
            return None
        content = await part.read()
        upload = Upload(part.filename or "", part.content_type or "", len(content), sha256(content).hexdigest())
        files.append((upload, content))
    return files


def text_of(form: FormData, field: str) -> str:
    """Give a text field, '' when it is absent or a file."""
    value = form.get(field)
    return value if isinstance(value, str) else ""


def attachments_fit(uploads: list[Upload]) -> bool:
    """Tell whether attachments are as few and as small as they must be."""
    return len(uploads) <= MAX_ATTACHMENTS and all(upload.size <= MAX_ATTACHMENT_BYTES for upload in uploads)
