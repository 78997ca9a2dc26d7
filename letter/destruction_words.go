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
			lifecycle.StockPlastic: "Plastiques de cartes", lifecycle.StockPaper: "Papier des plis code", lifecycle.StockReader: "Lecteurs CAP",
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
			lifecycle.StockPlastic: "Kaartplastics", lifecycle.StockPaper: "Papier voor pincodebrieven", lifecycle.StockReader: "CAP-lezers",
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
			lifecycle.StockPlastic: "Kartenrohlinge", lifecycle.StockPaper: "Papier für PIN-Briefe", lifecycle.StockReader: "CAP-Leser",
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
			lifecycle.StockPlastic: "Card plastics", lifecycle.StockPaper: "Paper of PIN letters", lifecycle.StockReader: "CAP readers",
		},
	}
}
