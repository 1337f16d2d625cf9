"""A project in one file, for versions of Django that the demo site is too new for."""

from django.conf.urls import url
from django.db import connection
from django.http import HttpResponse

SECRET_KEY = "no secret"
DEBUG = True
ROOT_URLCONF = "old_site"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "never used"}}


def polls(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return HttpResponse("{}".format(*cursor.fetchone()))


urlpatterns = [url("^polls/$", polls)]
