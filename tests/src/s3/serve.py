"""Serves moto's S3 on a free port of this machine, which it prints, until its standard input ends.

Four things are made as the S3 API describes them, because the store under test depends on them: a conditional write
checks and writes in one step, an upload that is not there is answered with NoSuchUpload, the list of uploads tells when
each was begun, and the answer to Complete has its right name.
"""

import datetime
import io
import os
import re
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3 import models, responses
from moto.s3.exceptions import NoSuchUpload
from werkzeug.serving import WSGIRequestHandler, make_server

begun = {}


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def remember_begin(init):
    def wrapped(self, *args, **kwargs):
        init(self, *args, **kwargs)
        begun[self.id] = now()

    return wrapped


def refuse_unknown(method):
    def wrapped(self, bucket_name, multipart_id, *args, **kwargs):
        if multipart_id not in self.get_bucket(bucket_name).multiparts:
            raise NoSuchUpload(upload_id=multipart_id)
        return method(self, bucket_name, multipart_id, *args, **kwargs)

    return wrapped


def tell_begin(method):
    upload = re.compile(r"<UploadId>([^<]+)</UploadId>(.*?)<Initiated>[^<]*<", re.DOTALL)

    def wrapped(self):
        status, headers, body = method(self)
        text = body.decode() if isinstance(body, bytes) else body
        return status, headers, upload.sub(
            lambda m: f"<UploadId>{m[1]}</UploadId>{m[2]}<Initiated>{begun.get(m[1], now())}<", text
        )

    return wrapped


def name_answer(method):
    def wrapped(self, *args, **kwargs):
        status, headers, body = method(self, *args, **kwargs)
        text = body.decode() if isinstance(body, bytes) else body
        return status, headers, text.replace("CompleteMultipartUploadResponse", "CompleteMultipartUploadResult")

    return wrapped


class OneAtATime:
    """Answers requests one after another."""

    def __init__(self, app):
        self.app = app
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        # The body is read outside: a slow sender must not hold up the others.
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
        with self.lock:
            return [b"".join(self.app(environ, start_response))]


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *args):
        pass


models.FakeMultipart.__init__ = remember_begin(models.FakeMultipart.__init__)
for name in ["complete_multipart_upload", "upload_part"]:
    setattr(models.S3Backend, name, refuse_unknown(getattr(models.S3Backend, name)))
responses.S3Response._key_response_post = name_answer(responses.S3Response._key_response_post)
responses.S3Response.list_multipart_uploads = tell_begin(responses.S3Response.list_multipart_uploads)


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
app = OneAtATime(DomainDispatcherApplication(create_backend_app))
server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
print(server.server_port, flush=True)
server.serve_forever()
