"""Settings of a Graphite for tests: everything below the folder that it is started in."""

import os

from graphite.settings import *  # noqa: F401,F403

_HERE = os.getcwd()
SECRET_KEY = "of a test"
STORAGE_DIR = _HERE
WHISPER_DIR = os.path.join(_HERE, "whisper")
STANDARD_DIRS = [WHISPER_DIR]
LOG_DIR = os.path.join(_HERE, "log")
INDEX_FILE = os.path.join(_HERE, "index")
TIME_ZONE = "UTC"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(_HERE, "db")}}
CARBONLINK_HOSTS = []
ALLOWED_HOSTS = ["*"]
