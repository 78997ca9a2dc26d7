"""A CAP reader over PC/SC, written from the facts of EMV and CAP and from
nothing of Sceau's: python3-pyscard is all it needs.

It takes one PIN a line on standard input and answers a line each: the code
that the reader shows, "wrong PIN, N left" or "blocked". Mode 2, the key that
takes no input.
"""

import sys

from smartcard.System import readers

CAP_AID = [0xA0, 0x00, 0x00, 0x00, 0x04, 0x80, 0x02]

# What a reader puts into the card's data object lists in mode 2: everything
# zero but the terminal verification results.
FILL = {0x95: bytes([0x80, 0, 0, 0, 0]), 0x8A: b"Z3"}


def objects(data):
    """The data objects of a BER-TLV string, templates opened."""
    found, i = {}, 0
    while i < len(data):
        tag, first = data[i], data[i]
        i += 1
        if first & 0x1F == 0x1F:
            while True:
                tag = tag << 8 | data[i]
                i += 1
                if data[i - 1] & 0x80 == 0:
                    break
        length = data[i]
        i += 1
        if length & 0x80:
            n = length & 0x7F
            length = int.from_bytes(data[i : i + n], "big")
            i += n
        value = data[i : i + length]
        i += length
        found[tag] = value
        if first & 0x20:
            found.update(objects(value))
    return found


def fill(dol):
    """The data that a data object list asks for."""
    out, i = b"", 0
    while i < len(dol):
        tag = dol[i]
        i += 1
        if tag & 0x1F == 0x1F:
            tag = tag << 8 | dol[i]
            i += 1
        length = dol[i]
        i += 1
        out += FILL.get(tag, bytes(length))[:length].ljust(length, b"\0")
    return out


class Card:
    def __init__(self):
        for reader in readers():
            connection = reader.createConnection()
            try:
                connection.connect()
            except Exception:  # no card in this slot
                continue
            self.connection = connection
            return
        raise SystemExit("no card in any reader")

    def send(self, header, data=b"", le=True):
        apdu = bytes(header)
        if data:
            apdu += bytes([len(data)]) + data
        if le:
            apdu += b"\0"
        answer, sw1, sw2 = self.connection.transmit(list(apdu))
        return bytes(answer), sw1 << 8 | sw2

    def ask(self, *args):
        answer, status = self.send(*args)
        if status != 0x9000:
            raise SystemExit("the card answers %04X" % status)
        return answer


def displayed(bits, data):
    """The bits of data where the bitmap has ones, read as one number."""
    number = 0
    for mask, value in zip(bits, data):
        for bit in range(7, -1, -1):
            if mask >> bit & 1:
                number = number << 1 | value >> bit & 1
    return "%08d" % number


def code(card, pin):
    card.ask([0x00, 0xA4, 0x04, 0x00], bytes(CAP_AID))
    options = objects(card.ask([0x80, 0xA8, 0x00, 0x00], b"\x83\x00"))
    known, locator = {}, options[0x94]
    for entry in range(0, len(locator), 4):
        sfi, first, last = locator[entry] >> 3, locator[entry + 1], locator[entry + 2]
        for record in range(first, last + 1):
            known.update(objects(card.ask([0x00, 0xB2, record, sfi << 3 | 4])))
    tries = objects(card.ask([0x80, 0xCA, 0x9F, 0x17]))[0x9F17][0]
    if tries == 0:
        return "blocked"
    digits = "2%X%s" % (len(pin), pin)
    _, status = card.send([0x00, 0x20, 0x00, 0x80], bytes.fromhex(digits.ljust(16, "F")), False)
    if status & 0xFFF0 == 0x63C0:
        return "wrong PIN, %d left" % (status & 0xF)
    if status == 0x6983:
        return "blocked"
    if status != 0x9000:
        raise SystemExit("VERIFY: %04X" % status)
    got = objects(card.ask([0x80, 0xAE, 0x80, 0x00], fill(known[0x8C])))
    card.ask([0x80, 0xAE, 0x00, 0x00], fill(known[0x8D]))
    data = got[0x9F27] + got[0x9F36] + got[0x9F26] + got[0x9F10]
    if known[0x9F55][0] & 0x40:
        data = known[0x5F34] + data
    return displayed(known[0x9F56], data)


def main():
    card = Card()
    for line in sys.stdin:
        print(code(card, line.strip()), flush=True)


if __name__ == "__main__":
    main()
