"""The currencies that Stripe charges in: an amount in anything else is no amount.

Stripe's list of presentment currencies, with those it still shows on older objects and its stablecoin settlement left
out. Codes are lower case, as Stripe writes them.
"""

_CODES = """
aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd btn bwp byn byr bzd cad cdf chf clp
cny cop crc cve czk djf dkk dop dzd eek egp etb eur fjd fkp gbp gel ghs gip gmd gnf gtq gyd hkd hnl hrk htg huf idr ils
inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl ltl lvl mad mdl mga mkd mmk mnt mop mro mru mur
mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp
sle sll sos srd ssp std stn svc szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vef ves vnd vuv wst xaf xcd xcg
xof xpf yer zar zmk zmw
"""

CURRENCIES = frozenset(_CODES.split())


def is_currency(code: str) -> bool:
    """Whether Stripe knows the currency; `code` in lower case."""
    return code in CURRENCIES
