package letter

import "sceau/party"

// minutesWords are the texts of minutes in one language.
type minutesWords struct {
	title, reference, environment, begun, ended string
	officer, custodian, custodians              string
	witness, witnesses                          string
	acts, signatures, sign, footer              string
	declaration                                 string // with the number of acts and the ceremony's name
	rehearsal, worthless                        string
	known                                       map[string]string // kinds of acts and facts, and values
}

func (w minutesWords) word(kind string) string {
	if text, ok := w.known[kind]; ok {
		return text
	}
	return kind
}

func minutesWordsOf(l party.Language) minutesWords {
	switch l {
	case party.French:
		return minutesFrench()
	case party.Dutch:
		return minutesDutch()
	case party.German:
		return minutesGerman()
	case party.English:
	}
	return minutesEnglish()
}

func minutesFrench() minutesWords {
	return minutesWords{
		title: "Procès-verbal de cérémonie des clés", reference: "Cérémonie", environment: "Environnement", begun: "Début", ended: "Dernier acte",
		officer: "Responsable de la sécurité", custodian: "Porteur de composante", custodians: "Porteurs de composante",
		witness: "Témoin", witnesses: "Témoins",
		acts: "Actes", signatures: "Signatures", sign: "Date, lieu et signature",
		declaration: "Les soussignés ont assisté aux actes 1 à %d de la cérémonie %s, ont comparé les valeurs de contrôle et les empreintes, et n’ont vu aucune clé en clair.",
		footer:      "Ce document ne contient aucun secret", rehearsal: "RÉPÉTITION", worthless: "clés d’essai détruites à la fin, sans valeur",
		known: map[string]string{
			"begun": "Ouverture de la cérémonie", "root": "Autorité racine créée", "cross": "Certificat croisé signé", "issuing": "Autorité émettrice certifiée", "responder": "Répondeur OCSP certifié",
			"bureau-signer":    "Signataire des fichiers du personnalisateur certifié",
			"statement-signer": "Signataire des attestations certifié", "server": "Serveur TLS certifié",
			"root-list": "Liste de révocation de la racine signée", "root-opened": "Coffre de la racine ouvert", "root-closed": "Coffre de la racine refermé",
			"key": "Clé de carte", "rotating": "Rotation commencée à la version", "rotate": "Nouvelle version de clé", "retire": "Version de clé retirée",
			"key-end": "Destruction des clés d’une autorité décidée", "key-shown": "Clé présentée", "key-destroyed": "Clé détruite", "proposed_by": "Proposée par",
			"there": "Déjà en place", "name": "Clé", "usage": "Usage", "algorithm": "Algorithme", "kcv": "Valeur de contrôle", "version": "Version", "environment": "Environnement",
			"origin": "Origine", "custodians": "Composantes de", "subject": "Sujet", "sha256": "Empreinte SHA-256", "until": "Valable jusqu’au",
			"mount": "Coffre", "refused": "Accès refusé ensuite à", "witnesses": "Témoins",
			"random": "tirée dans le coffre", "components": "composantes", "key-block": "bloc de clé TR-31",
			"test": "essai", "live": "production", "revoked token, ceremony token": "jeton révoqué, jeton de la cérémonie",
		},
	}
}

func minutesDutch() minutesWords {
	return minutesWords{
		title: "Proces-verbaal van de sleutelceremonie", reference: "Ceremonie", environment: "Omgeving", begun: "Begin", ended: "Laatste handeling",
		officer: "Beveiligingsverantwoordelijke", custodian: "Componenthouder", custodians: "Componenthouders",
		witness: "Getuige", witnesses: "Getuigen",
		acts: "Handelingen", signatures: "Handtekeningen", sign: "Datum, plaats en handtekening",
		declaration: "De ondergetekenden waren aanwezig bij de handelingen 1 tot en met %d van ceremonie %s, vergeleken de controlewaarden en vingerafdrukken, en zagen geen sleutel in klare tekst.",
		footer:      "Dit document bevat geen geheimen", rehearsal: "REPETITIE", worthless: "testsleutels, aan het einde vernietigd, zonder waarde",
		known: map[string]string{
			"begun": "Opening van de ceremonie", "root": "Root-CA aangemaakt", "cross": "Kruiscertificaat ondertekend", "issuing": "Uitgevende CA gecertificeerd", "responder": "OCSP-responder gecertificeerd",
			"bureau-signer":    "Ondertekenaar van de bestanden voor de kaartproducent gecertificeerd",
			"statement-signer": "Ondertekenaar van de verklaringen gecertificeerd", "server": "TLS-server gecertificeerd",
			"root-list": "Intrekkingslijst van de root ondertekend", "root-opened": "Kluis van de root geopend", "root-closed": "Kluis van de root gesloten",
			"key": "Kaartsleutel", "rotating": "Rotatie begonnen bij versie", "rotate": "Nieuwe sleutelversie", "retire": "Sleutelversie ingetrokken",
			"key-end": "Vernietiging van de sleutels van een CA besloten", "key-shown": "Sleutel getoond", "key-destroyed": "Sleutel vernietigd", "proposed_by": "Voorgesteld door",
			"there": "Al aanwezig", "name": "Sleutel", "usage": "Gebruik", "algorithm": "Algoritme", "kcv": "Controlewaarde", "version": "Versie", "environment": "Omgeving",
			"origin": "Herkomst", "custodians": "Componenten van", "subject": "Onderwerp", "sha256": "SHA-256-vingerafdruk", "until": "Geldig tot",
			"mount": "Kluis", "refused": "Daarna geweigerd aan", "witnesses": "Getuigen",
			"random": "in de kluis getrokken", "components": "componenten", "key-block": "TR-31-sleutelblok",
			"test": "test", "live": "productie", "revoked token, ceremony token": "ingetrokken token, token van de ceremonie",
		},
	}
}

func minutesGerman() minutesWords {
	return minutesWords{
		title: "Protokoll der Schlüsselzeremonie", reference: "Zeremonie", environment: "Umgebung", begun: "Beginn", ended: "Letzte Handlung",
		officer: "Sicherheitsbeauftragte Person", custodian: "Komponentenhalter", custodians: "Komponentenhalter",
		witness: "Zeuge", witnesses: "Zeugen",
		acts: "Handlungen", signatures: "Unterschriften", sign: "Datum, Ort und Unterschrift",
		declaration: "Die Unterzeichnenden waren bei den Handlungen 1 bis %d der Zeremonie %s anwesend, haben Prüfwerte und Fingerabdrücke verglichen und keinen Schlüssel im Klartext gesehen.",
		footer:      "Dieses Dokument enthält keine Geheimnisse", rehearsal: "PROBE", worthless: "Testschlüssel, am Ende vernichtet, ohne Wert",
		known: map[string]string{
			"begun": "Eröffnung der Zeremonie", "root": "Stammzertifizierungsstelle erstellt", "cross": "Kreuzzertifikat signiert", "issuing": "Ausstellende Stelle zertifiziert", "responder": "OCSP-Responder zertifiziert",
			"bureau-signer":    "Signierschlüssel für Dateien des Kartenherstellers zertifiziert",
			"statement-signer": "Signierschlüssel für Bestätigungen zertifiziert", "server": "TLS-Server zertifiziert",
			"root-list": "Sperrliste der Stammstelle signiert", "root-opened": "Tresor der Stammstelle geöffnet", "root-closed": "Tresor der Stammstelle geschlossen",
			"key": "Kartenschlüssel", "rotating": "Rotation begonnen bei Version", "rotate": "Neue Schlüsselversion", "retire": "Schlüsselversion stillgelegt",
			"key-end": "Vernichtung der Schlüssel einer Stelle beschlossen", "key-shown": "Schlüssel gezeigt", "key-destroyed": "Schlüssel vernichtet", "proposed_by": "Vorgeschlagen von",
			"there": "Schon vorhanden", "name": "Schlüssel", "usage": "Verwendung", "algorithm": "Algorithmus", "kcv": "Prüfwert", "version": "Version", "environment": "Umgebung",
			"origin": "Herkunft", "custodians": "Komponenten von", "subject": "Inhaber", "sha256": "SHA-256-Fingerabdruck", "until": "Gültig bis",
			"mount": "Tresor", "refused": "Danach verweigert", "witnesses": "Zeugen",
			"random": "im Tresor gezogen", "components": "Komponenten", "key-block": "TR-31-Schlüsselblock",
			"test": "Test", "live": "Produktion", "revoked token, ceremony token": "widerrufenes Token, Token der Zeremonie",
		},
	}
}

func minutesEnglish() minutesWords {
	return minutesWords{
		title: "Minutes of a key ceremony", reference: "Ceremony", environment: "Environment", begun: "Begun", ended: "Last act",
		officer: "Security officer", custodian: "Component custodian", custodians: "Component custodians",
		witness: "Witness", witnesses: "Witnesses",
		acts: "Acts", signatures: "Signatures", sign: "Date, place and signature",
		declaration: "The undersigned attended acts 1 to %d of ceremony %s, compared check values and fingerprints, and saw no key in clear.",
		footer:      "This document contains no secret", rehearsal: "REHEARSAL", worthless: "test keys, destroyed at the end, without value",
		known: map[string]string{
			"begun": "Ceremony opened", "root": "Root CA made", "cross": "Cross-certificate signed", "issuing": "Issuing CA certified", "responder": "OCSP responder certified",
			"bureau-signer":    "Signer of the card bureau's files certified",
			"statement-signer": "Signer of statements certified", "server": "TLS server certified",
			"root-list": "Root's revocation list signed", "root-opened": "Root's vault opened", "root-closed": "Root's vault closed",
			"key": "Card key", "rotating": "Rotation begun at version", "rotate": "New key version", "retire": "Key version retired",
			"key-end": "Destruction of a CA’s keys agreed on", "key-shown": "Key shown", "key-destroyed": "Key destroyed", "proposed_by": "Proposed by",
			"there": "There before", "name": "Key", "usage": "Usage", "algorithm": "Algorithm", "kcv": "Check value", "version": "Version", "environment": "Environment",
			"origin": "Origin", "custodians": "Components of", "subject": "Subject", "sha256": "SHA-256 fingerprint", "until": "Valid until",
			"mount": "Vault", "refused": "Refused afterwards to", "witnesses": "Witnesses",
			"random": "drawn in the vault", "components": "components", "key-block": "TR-31 key block",
			"test": "test", "live": "live", "revoked token, ceremony token": "revoked token, ceremony's token",
		},
	}
}
