"""What is shown of an address: only what is known to be public, wherever the password is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevid.redaction import public_address


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://cam:p%40ss@host:8554/a/b?token=x#y", "rtsp://host:8554"),
        ("rtsp://cam:p@ss@host/a", "rtsp://host"),
        ("http://[::1]:80/video", "http://[::1]:80"),
        ("HTTPS://hooks.example.org/services/T0/secret", "https://hooks.example.org"),
        ("mqtts://pi.local", "mqtts://pi.local"),
        ("rtsp://cam:pa/ss@host/a", "rtsp://(hidden)"),
        ("rtsp://cam:12/34@host/a", "rtsp://(hidden)"),
        ("rtsp://host/cam/p@ss/1", "rtsp://(hidden)"),
        ("rtsp://cam:secret", "rtsp://(hidden)"),
        ("rtsp://cam:pa\\ss@host", "rtsp://(hidden)"),
        ("rtsp://cam%3Asecret%40host/a", "rtsp://(hidden)"),
        ("http://me:sec\nret@host", "http://(hidden)"),
        ("rstp://me:secret@host", "rstp://(hidden)"),
        ("me:secret@host", "(not a URL)"),
        ("", "(not a URL)"),
    ],
)
def test_of_an_address_only_scheme_host_and_port_are_shown(url: str, shown: str) -> None:
    assert public_address(url) == shown


ANYTHING = st.text(alphabet="abcXYZ0189:/?#[]@!$&'()*+,;=%.-_ \\\n", min_size=1, max_size=30)


@given(ANYTHING, ANYTHING, st.sampled_from(["http", "rtsp", "mqtt", "other"]))
def test_no_secret_is_shown_wherever_it_is_and_whatever_it_contains(secret: str, other: str, scheme: str) -> None:
    shown = [
        public_address(f"{scheme}://{address}")
        for address in (
            f"user:S3{secret}cr3t@host/p",
            f"S3{secret}cr3t@host",
            f"host/S3{secret}cr3t/x?{other}",
            f"host:80/?key=S3{secret}cr3t",
            f"host#S3{secret}cr3t",
            f"user:S3{secret}cr3t@host/{other}",
        )
    ]
    assert not any("S3" in each or "cr3t" in each for each in shown)
