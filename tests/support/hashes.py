"""A password that tests may know, and its hash: cheap to check, so that tests are quick."""

from __future__ import annotations

PASSWORD = "correct horse"
PASSWORD_HASH = "$argon2id$v=19$m=64,t=1,p=1$ZJhgeFqwmStB/2Kz+KvlbQ$GULZn2bhubvrusi8ysWUnuFnwyiqTFIZo8vwFiIl8d4"
