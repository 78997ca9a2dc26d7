package letter

import (
	"sceau/lifecycle"
	"sceau/party"
)

// destructionWords are the texts of a certificate of destruction in one language.
type destructionWords struct {
	title, reference, date, place, item, quantity string
	method, reason, proposed, seen                string
	serials, none                                 string
	signatures, sign, first, second, footer       string
	declaration                                   string // with the quantity and the destruction's name
	kinds                                         map[lifecycle.StockKind]string
	keys                                          keyWords
}

// keyWords are those of the keys of a CA.
type keyWords struct{ how, why, serials, first, second, footer, declaration string }

// ofKeys are the texts where keys are destroyed.
func (w destructionWords) ofKeys() destructionWords {
	k := w.keys
	w.serials, w.first, w.second, w.footer, w.declaration = k.serials, k.first, k.second, k.footer, k.declaration
	return w
}

func destructionWordsOf(l party.Language) destructionWords {
	switch l {
	case party.French:
		return destructionFrench()
	case party.Dutch:
		return destructionDutch()
	case party.German:
		return destructionGerman()
	case party.English:
	}
	return destructionEnglish()
}

func destructionFrench() destructionWords {
	return destructionWords{
		title: "Certificat de destruction", reference: "Destruction", date: "Détruit le", place: "Lieu", item: "Article", quantity: "Quantité",
		method: "Procédé", reason: "Motif", proposed: "Liste établie par", seen: "Vérifiée par",
		serials: "Numéros de série", none: "Les pièces de cet article n’ont pas de numéro de série.",
		signatures: "Signatures", sign: "Date, lieu et signature", first: "A établi la liste", second: "A vérifié la liste et assisté à la destruction",
		footer:      "À conserver avec le registre du stock",
		declaration: "Les soussignés ont comparé les pièces à la liste ci-dessus (%d au total, destruction %s) et ont assisté ensemble à leur destruction. Aucune pièce ne peut plus servir.",
		kinds: map[lifecycle.StockKind]string{
			lifecycle.StockPlastic: "Plastiques de cartes", lifecycle.StockPaper: "Papier des plis code", lifecycle.StockReader: "Lecteurs CAP", KindKeys: "Clés d’autorité",
		},
		keys: keyWords{
			how:     "Suppression dans Vault (moteur Transit), puis relecture : clé inconnue",
			why:     "Fin de l’autorité : certificats échus ou révoqués, dernières listes publiées",
			serials: "Clés et empreintes SHA-256 de leur partie publique", first: "A proposé la destruction", second: "A donné son accord et détruit les clés",
			footer:      "À conserver avec le procès-verbal de la cérémonie",
			declaration: "Les soussignés ont comparé les clés à la liste ci-dessus (%d au total, cérémonie %s) et ont assisté ensemble à leur destruction. Le coffre ne les connaît plus ; ses sauvegardes antérieures restent à détruire.",
		},
	}
}

func destructionDutch() destructionWords {
	return destructionWords{
		title: "Certificaat van vernietiging", reference: "Vernietiging", date: "Vernietigd op", place: "Plaats", item: "Artikel", quantity: "Aantal",
		method: "Werkwijze", reason: "Reden", proposed: "Lijst opgesteld door", seen: "Nagezien door",
		serials: "Serienummers", none: "De stukken van dit artikel hebben geen serienummer.",
		signatures: "Handtekeningen", sign: "Datum, plaats en handtekening", first: "Heeft de lijst opgesteld", second: "Heeft de lijst nagezien en was aanwezig bij de vernietiging",
		footer:      "Te bewaren bij het voorraadregister",
		declaration: "De ondergetekenden hebben de stukken met bovenstaande lijst vergeleken (%d in totaal, vernietiging %s) en waren samen aanwezig bij de vernietiging. Geen enkel stuk is nog bruikbaar.",
		kinds: map[lifecycle.StockKind]string{
			lifecycle.StockPlastic: "Kaartplastics", lifecycle.StockPaper: "Papier voor pincodebrieven", lifecycle.StockReader: "CAP-lezers", KindKeys: "CA-sleutels",
		},
		keys: keyWords{
			how:     "Verwijderd in Vault (Transit), daarna opgevraagd: sleutel onbekend",
			why:     "Einde van de CA: certificaten verlopen of ingetrokken, laatste lijsten gepubliceerd",
			serials: "Sleutels en SHA-256-vingerafdrukken van hun publieke deel", first: "Heeft de vernietiging voorgesteld", second: "Heeft ingestemd en de sleutels vernietigd",
			footer:      "Te bewaren bij het proces-verbaal van de ceremonie",
			declaration: "De ondergetekenden hebben de sleutels met bovenstaande lijst vergeleken (%d in totaal, ceremonie %s) en waren samen aanwezig bij de vernietiging. De kluis kent ze niet meer; oudere back-ups van de kluis moeten nog worden vernietigd.",
		},
	}
}

func destructionGerman() destructionWords {
	return destructionWords{
		title: "Vernichtungsprotokoll", reference: "Vernichtung", date: "Vernichtet am", place: "Ort", item: "Artikel", quantity: "Anzahl",
		method: "Verfahren", reason: "Grund", proposed: "Liste erstellt von", seen: "Geprüft von",
		serials: "Seriennummern", none: "Die Stücke dieses Artikels haben keine Seriennummer.",
		signatures: "Unterschriften", sign: "Datum, Ort und Unterschrift", first: "Hat die Liste erstellt", second: "Hat die Liste geprüft und war bei der Vernichtung anwesend",
		footer:      "Mit dem Bestandsregister aufzubewahren",
		declaration: "Die Unterzeichnenden haben die Stücke mit der obigen Liste verglichen (insgesamt %d, Vernichtung %s) und waren bei ihrer Vernichtung gemeinsam anwesend. Kein Stück ist mehr verwendbar.",
		kinds: map[lifecycle.StockKind]string{
			lifecycle.StockPlastic: "Kartenrohlinge", lifecycle.StockPaper: "Papier für PIN-Briefe", lifecycle.StockReader: "CAP-Leser", KindKeys: "Schlüssel einer Zertifizierungsstelle",
		},
		keys: keyWords{
			how:     "Löschung in Vault (Transit), danach abgefragt: Schlüssel unbekannt",
			why:     "Ende der Zertifizierungsstelle: Zertifikate abgelaufen oder gesperrt, letzte Listen veröffentlicht",
			serials: "Schlüssel und SHA-256-Fingerabdrücke ihres öffentlichen Teils", first: "Hat die Vernichtung vorgeschlagen", second: "Hat zugestimmt und die Schlüssel vernichtet",
			footer:      "Mit dem Protokoll der Zeremonie aufzubewahren",
			declaration: "Die Unterzeichnenden haben die Schlüssel mit der obigen Liste verglichen (insgesamt %d, Zeremonie %s) und waren bei ihrer Vernichtung gemeinsam anwesend. Der Tresor kennt sie nicht mehr; seine früheren Sicherungen sind noch zu vernichten.",
		},
	}
}

func destructionEnglish() destructionWords {
	return destructionWords{
		title: "Certificate of destruction", reference: "Destruction", date: "Destroyed on", place: "Place", item: "Item", quantity: "Quantity",
		method: "Method", reason: "Reason", proposed: "Listed by", seen: "Checked by",
		serials: "Serial numbers", none: "Pieces of this item have no serial number.",
		signatures: "Signatures", sign: "Date, place and signature", first: "Listed the pieces", second: "Checked the list and saw the pieces destroyed",
		footer:      "To be kept with the stock register",
		declaration: "The undersigned compared the pieces with the list above (%d in all, destruction %s) and saw them destroyed together. No piece can be used any more.",
		kinds: map[lifecycle.StockKind]string{
			lifecycle.StockPlastic: "Card plastics", lifecycle.StockPaper: "Paper of PIN letters", lifecycle.StockReader: "CAP readers", KindKeys: "Keys of a CA",
		},
		keys: keyWords{
			how:     "Deleted in Vault (Transit engine), then asked for: no such key",
			why:     "End of the CA: certificates expired or revoked, last lists published",
			serials: "Keys and SHA-256 fingerprints of their public half", first: "Proposed the destruction", second: "Agreed and destroyed the keys",
			footer:      "To be kept with the minutes of the ceremony",
			declaration: "The undersigned compared the keys with the list above (%d in all, ceremony %s) and saw them destroyed together. The vault knows them no more; its earlier backups are still to be destroyed.",
		},
	}
}
