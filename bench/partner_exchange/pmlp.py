"""A stand-in for PMLP, lean so that it is never what is waited for: every request verified, every answer signed.

python -m bench.partner_exchange.pmlp KEYS
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.partner_exchange import envelopes, messages, serving


def main(keys: Path) -> None:
    """Answer GetPerson with a name and the code that was asked for."""
    signer = envelopes.Signer.load(keys, "pmlp")
    authority = envelopes.load_certificate(keys, "authority")

    def answer(request: bytes) -> tuple[int, bytes]:
        try:
            opened = envelopes.verify(request, authority)
        except envelopes.Refused as error:
            print(f"refused: {error}", file=sys.stderr, flush=True)
            return 500, b""
        code = opened.payload.findtext(f"{{{messages.PMLP}}}PersonasKods").replace("-", "")
        body = messages.told_by_pmlp(code)
        action = f"{messages.PMLP_GET_PERSON}Response"
        return 200, envelopes.sign(signer, body, action, opened.addressing["MessageID"])

    serving.serve(answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
