"""Which Python is chosen for which Django."""

import pytest
from packaging.requirements import Requirement

from sphinx_djconn.lab.environments.python_versions import supported_pythons


@pytest.mark.parametrize(
    ("django", "supported"),
    [
        ("django~=1.11.0", "3.6 to 3.7"),  # the probe needs 3.6
        ("django==1.11.16", "3.6 to 3.6"),
        ("django~=2.0.0", "3.6 to 3.7"),
        ("django==2.1.3", "3.6 to 3.7"),
        ("django==2.1.4", "3.6 to 3.7"),
        ("django~=2.2.0", "3.6 to 3.9"),
        ("django==2.2.10", "3.6 to 3.8"),
        ("django==2.2.7", "3.6 to 3.7"),
        ("django~=3.2.0", "3.6 to 3.10"),
        ("django==3.2.8", "3.6 to 3.9"),
        ("django~=4.0.0", "3.8 to 3.10"),
        ("django==4.2.7", "3.8 to 3.11"),
        ("Django>=4.2,<4.2.8", "3.8 to 3.11"),
        ("django~=4.2", "3.8 to 3.12"),
        ("django==4.2.*", "3.8 to 3.12"),
        ("django>=3.2,<5", "3.8 to 3.12"),
        ("django~=5.0.0", "3.10 to 3.12"),
        ("django~=5.1.0", "3.10 to 3.13"),
        ("django~=5.2.0", "3.10 to 3.14"),
        ("django~=6.0.0", "3.12 to 3.14"),
    ],
)
def test_a_django_gets_the_pythons_of_its_documentation(django: str, supported: str) -> None:
    assert str(supported_pythons(Requirement(django))) == supported


@pytest.mark.parametrize(
    "django", ["django", "django>=5", "django==99.1", "django~=99.1.0", "django @ file:///checkout"]
)
def test_a_django_that_is_not_known_yet_gets_the_newest_python(django: str) -> None:
    supported = supported_pythons(Requirement(django))
    assert (3, 99) in supported
    assert (3, 5) not in supported
