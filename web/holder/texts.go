package holder

import (
	"strings"

	"sceau/party"
)

// text is a text of the pages, French where a language has none.
func text(key string, l party.Language) string {
	words, ok := texts[key]
	for _, more := range []map[string][4]string{revocationTexts, reportTexts} {
		if !ok {
			words, ok = more[key]
		}
	}
	if !ok {
		words = texts["error.500"]
	}
	for i, known := range party.Languages() {
		if known == l {
			return words[i]
		}
	}
	return words[0]
}

// fieldText tells what is wrong with a field.
func fieldText(field string, l party.Language) string {
	for key := "field." + field; ; {
		_, here := texts[key]
		_, there := revocationTexts[key]
		_, reports := reportTexts[key]
		if here || there || reports {
			return text(key, l)
		}
		cut := strings.LastIndexByte(key, '.')
		if cut <= len("field") {
			return text("error.422", l)
		}
		key = key[:cut]
	}
}

// texts are in the order of [party.Languages]: French, Dutch, German, English.
var texts = map[string][4]string{
	"title":    {"Votre certificat nominatif", "Uw persoonlijk certificaat", "Ihr persönliches Zertifikat", "Your nominative certificate"},
	"skip":     {"Aller au contenu", "Naar de inhoud", "Zum Inhalt", "Skip to content"},
	"language": {"Langue", "Taal", "Sprache", "Language"},
	"wrong":    {"Il y a un problème", "Er is een probleem", "Es gibt ein Problem", "There is a problem"},
	"detail":   {"Détail technique, en anglais", "Technisch detail, in het Engels", "Technische Einzelheit, auf Englisch", "Technical detail"},
	"back":     {"Revenir au début", "Terug naar het begin", "Zurück zum Anfang", "Back to the beginning"},
	"leave":    {"Quitter", "Afsluiten", "Beenden", "Leave"},

	"door.lead": {
		"Saisissez la référence du certificat et le code d'enrôlement que votre banque vous a remis.",
		"Voer de referentie van het certificaat in en de code die uw bank u heeft gegeven.",
		"Geben Sie die Referenz des Zertifikats und den Code ein, den Ihre Bank Ihnen gegeben hat.",
		"Type the certificate's reference and the enrolment code that your bank gave you.",
	},
	"door.reference":      {"Référence du certificat", "Referentie van het certificaat", "Referenz des Zertifikats", "Certificate reference"},
	"door.reference.hint": {"Elle commence par N-.", "Ze begint met N-.", "Sie beginnt mit N-.", "It begins with N-."},
	"door.code":           {"Code d'enrôlement", "Inschrijvingscode", "Registrierungscode", "Enrolment code"},
	"door.code.hint": {
		"28 caractères en 7 groupes. Majuscules, espaces et tirets sont indifférents. Vous pouvez le coller.",
		"28 tekens in 7 groepen. Hoofdletters, spaties en streepjes maken niet uit. U mag plakken.",
		"28 Zeichen in 7 Gruppen. Großschreibung, Leerzeichen und Striche sind gleich. Sie können ihn einfügen.",
		"28 characters in 7 groups. Capitals, spaces and dashes do not matter. You can paste it.",
	},
	"door.enter": {"Continuer", "Doorgaan", "Weiter", "Continue"},

	"what":         {"Ce qui sera certifié", "Wat gecertificeerd wordt", "Was zertifiziert wird", "What will be certified"},
	"content":      {"Contenu du certificat", "Inhoud van het certificaat", "Inhalt des Zertifikats", "Content of the certificate"},
	"name":         {"Titulaire", "Houder", "Inhaber", "Holder"},
	"organisation": {"Organisation", "Organisatie", "Organisation", "Organisation"},
	"identifier":   {"Identifiant de l'organisation", "Nummer van de organisatie", "Kennung der Organisation", "Organisation identifier"},
	"country":      {"Pays", "Land", "Land", "Country"},
	"profile":      {"Profil", "Profiel", "Profil", "Profile"},
	"from":         {"Valable du", "Geldig vanaf", "Gültig ab", "Valid from"},
	"until":        {"Valable jusqu'au", "Geldig tot", "Gültig bis", "Valid until"},
	"serial":       {"Numéro de série", "Serienummer", "Seriennummer", "Serial number"},
	"issuer":       {"Émetteur", "Uitgever", "Aussteller", "Issuer"},
	"key":          {"Clé", "Sleutel", "Schlüssel", "Key"},
	"fingerprint":  {"Empreinte SHA-256", "SHA-256-vingerafdruk", "SHA-256-Fingerabdruck", "SHA-256 fingerprint"},
	"differs": {
		"Si quelque chose est faux, n'allez pas plus loin et appelez votre banque.", "Is er iets onjuist, ga dan niet verder en bel uw bank.",
		"Wenn etwas falsch ist, fahren Sie nicht fort und rufen Sie Ihre Bank an.", "If something is wrong, go no further and call your bank.",
	},

	"request": {"Envoyer votre demande", "Uw aanvraag versturen", "Ihren Antrag senden", "Send your request"},
	"request.lead": {
		"Créez la clé sur votre appareil, puis envoyez la demande de certificat (CSR). La clé privée ne quitte jamais votre appareil. Le programme sceau-enroll fait tout cela pour vous.",
		"Maak de sleutel op uw apparaat en verstuur dan de certificaataanvraag (CSR). De privésleutel verlaat uw apparaat nooit. Het programma sceau-enroll doet dit alles voor u.",
		"Erzeugen Sie den Schlüssel auf Ihrem Gerät und senden Sie dann den Zertifikatsantrag (CSR). Der private Schlüssel verlässt Ihr Gerät nie. Das Programm sceau-enroll erledigt all das für Sie.",
		"Make the key on your device, then send the certificate request (CSR). The private key never leaves your device. The program sceau-enroll does all this for you.",
	},
	"request.rejected": {
		"Votre dernière demande n'a pas pu être signée. Créez une nouvelle clé et envoyez une autre demande.",
		"Uw laatste aanvraag kon niet worden ondertekend. Maak een nieuwe sleutel en verstuur een andere aanvraag.",
		"Ihr letzter Antrag konnte nicht unterschrieben werden. Erzeugen Sie einen neuen Schlüssel und senden Sie einen anderen Antrag.",
		"Your last request could not be signed. Make a new key and send another request.",
	},
	"request.file": {"Fichier de la demande, PEM ou DER", "Bestand van de aanvraag, PEM of DER", "Datei des Antrags, PEM oder DER", "Request file, PEM or DER"},
	"request.text": {"ou son texte PEM", "of de PEM-tekst", "oder der PEM-Text", "or its PEM text"},
	"request.key": {
		"Où se trouve la clé ?", "Waar staat de sleutel?", "Wo befindet sich der Schlüssel?", "Where is the key?",
	},
	"request.key.file":     {"dans un fichier", "in een bestand", "in einer Datei", "in a file"},
	"request.key.device":   {"sur un dispositif : carte ou clé USB cryptographique", "op een cryptografisch apparaat: kaart of USB-sleutel", "auf einem Gerät: Karte oder USB-Token", "on a device: a smart card or token"},
	"request.manufacturer": {"Fabricant du dispositif", "Fabrikant van het apparaat", "Hersteller des Geräts", "Device manufacturer"},
	"request.model":        {"Modèle du dispositif", "Model van het apparaat", "Modell des Geräts", "Device model"},
	"request.serial":       {"Numéro de série du dispositif", "Serienummer van het apparaat", "Seriennummer des Geräts", "Device serial number"},
	"request.device.hint": {
		"À remplir si la clé est sur un dispositif.", "In te vullen als de sleutel op een apparaat staat.",
		"Auszufüllen, wenn der Schlüssel auf einem Gerät ist.", "Fill this in if the key is on a device.",
	},
	"request.needs": {
		"La clé de ce certificat doit se trouver sur un dispositif.", "De sleutel van dit certificaat moet op een apparaat staan.",
		"Der Schlüssel dieses Zertifikats muss auf einem Gerät sein.", "The key of this certificate must be on a device.",
	},
	"request.send": {"Envoyer la demande", "Aanvraag versturen", "Antrag senden", "Send the request"},

	"wait": {"Votre demande est en cours de signature", "Uw aanvraag wordt ondertekend", "Ihr Antrag wird unterschrieben", "Your request is being signed"},
	"wait.lead": {
		"Cela prend d'ordinaire quelques secondes. Vous pouvez revenir plus tard avec le même code.", "Dit duurt meestal enkele seconden. U kunt later met dezelfde code terugkomen.",
		"Das dauert meist einige Sekunden. Sie können später mit demselben Code zurückkommen.", "This usually takes some seconds. You can come back later with the same code.",
	},
	"wait.look": {"Regarder où il en est", "Kijk hoe ver het is", "Nachsehen, wie weit es ist", "See how far it is"},

	"download":     {"Télécharger", "Downloaden", "Herunterladen", "Download"},
	"download.pem": {"Certificat (PEM)", "Certificaat (PEM)", "Zertifikat (PEM)", "Certificate (PEM)"},
	"download.p7c": {"Certificat et autorités (p7c)", "Certificaat en autoriteiten (p7c)", "Zertifikat und Aussteller (p7c)", "Certificate and authorities (p7c)"},

	"accept": {"Accepter le certificat", "Het certificaat aanvaarden", "Das Zertifikat annehmen", "Accept the certificate"},
	"accept.lead": {
		"Vérifiez le contenu ci-dessus. S'il est exact, signez cette déclaration avec la clé du certificat : le certificat devient actif.",
		"Controleer de inhoud hierboven. Is die juist, onderteken dan deze verklaring met de sleutel van het certificaat: het certificaat wordt actief.",
		"Prüfen Sie den Inhalt oben. Wenn er richtig ist, unterschreiben Sie diese Erklärung mit dem Schlüssel des Zertifikats: das Zertifikat wird aktiv.",
		"Check the content above. If it is right, sign this statement with the certificate's key: the certificate becomes active.",
	},
	"accept.text":      {"Déclaration à signer (texte)", "Te ondertekenen verklaring (tekst)", "Zu unterschreibende Erklärung (Text)", "Statement to be signed (text)"},
	"accept.command":   {"Commande de signature", "Opdracht om te ondertekenen", "Befehl zum Unterschreiben", "Command that signs it"},
	"accept.signature": {"Fichier de la signature", "Bestand van de handtekening", "Datei der Unterschrift", "Signature file"},
	"accept.send":      {"Accepter", "Aanvaarden", "Annehmen", "Accept"},

	"refuse": {"Le contenu est faux", "De inhoud is onjuist", "Der Inhalt ist falsch", "The content is wrong"},
	"refuse.lead": {
		"Le certificat sera révoqué pour toujours, et votre banque en préparera un autre.", "Het certificaat wordt voorgoed ingetrokken en uw bank maakt een ander.",
		"Das Zertifikat wird für immer widerrufen, und Ihre Bank stellt ein anderes aus.", "The certificate will be revoked for ever, and your bank will prepare another.",
	},
	"refuse.reason": {"Qu'est-ce qui est faux ?", "Wat is onjuist?", "Was ist falsch?", "What is wrong?"},
	"refuse.send":   {"Refuser le certificat", "Het certificaat weigeren", "Das Zertifikat ablehnen", "Refuse the certificate"},

	"state.active":  {"Votre certificat est actif.", "Uw certificaat is actief.", "Ihr Zertifikat ist aktiv.", "Your certificate is active."},
	"state.revoked": {"Ce certificat est révoqué.", "Dit certificaat is ingetrokken.", "Dieses Zertifikat ist widerrufen.", "This certificate is revoked."},
	"state.other": {
		"Ce certificat n'attend rien de vous pour le moment.", "Dit certificaat vraagt nu niets van u.",
		"Dieses Zertifikat braucht zurzeit nichts von Ihnen.", "This certificate needs nothing from you now.",
	},

	"error.page":       {"Cette page n'existe pas.", "Deze pagina bestaat niet.", "Diese Seite gibt es nicht.", "There is no such page."},
	"error.foreign":    {"La demande vient d'un autre site et a été refusée.", "De aanvraag komt van een andere site en is geweigerd.", "Die Anfrage kommt von einer anderen Website und wurde abgelehnt.", "The request comes from another site and was refused."},
	"error.busy":       {"Trop d'essais en même temps. Réessayez dans une minute.", "Te veel pogingen tegelijk. Probeer over een minuut opnieuw.", "Zu viele Versuche zugleich. Versuchen Sie es in einer Minute wieder.", "Too many tries at once. Try again in a minute."},
	"error.unreadable": {"L'envoi n'a pas pu être lu.", "Wat u stuurde kon niet worden gelezen.", "Ihre Sendung konnte nicht gelesen werden.", "What was sent could not be read."},
	"error.large":      {"L'envoi est trop long : 64 Kio au plus.", "Wat u stuurde is te lang: hoogstens 64 KiB.", "Ihre Sendung ist zu lang: höchstens 64 KiB.", "What was sent is too long: 64 KiB at most."},
	"error.403": {
		"Cette référence et ce code n'ouvrent rien, ou la session est terminée. Après cinq codes faux, ou après son échéance, demandez un nouveau code à votre banque.",
		"Deze referentie en code openen niets, of de sessie is voorbij. Vraag uw bank een nieuwe code na vijf foute codes of na de einddatum.",
		"Diese Referenz und dieser Code öffnen nichts, oder die Sitzung ist beendet. Nach fünf falschen Codes oder nach Ablauf bitten Sie Ihre Bank um einen neuen Code.",
		"This reference and this code open nothing, or the session is over. After five wrong codes, or past its end, ask your bank for a new code.",
	},
	"error.404": {"Il n'y a rien ici.", "Hier is niets.", "Hier ist nichts.", "There is nothing here."},
	"error.409": {"Le certificat a changé entre-temps. Regardez la page à nouveau.", "Het certificaat is intussen veranderd. Bekijk de pagina opnieuw.", "Das Zertifikat hat sich inzwischen geändert. Sehen Sie die Seite noch einmal an.", "The certificate has changed meanwhile. Look at the page again."},
	"error.422": {"Quelque chose est à corriger.", "Er is iets te verbeteren.", "Etwas ist zu berichtigen.", "Something is to be corrected."},
	"error.500": {"Une erreur s'est produite chez nous. Réessayez plus tard.", "Er ging bij ons iets mis. Probeer later opnieuw.", "Bei uns ist ein Fehler aufgetreten. Versuchen Sie es später wieder.", "Something went wrong here. Try again later."},
	"error.503": {"Le service est momentanément indisponible. Réessayez plus tard.", "De dienst is even niet beschikbaar. Probeer later opnieuw.", "Der Dienst ist zurzeit nicht verfügbar. Versuchen Sie es später wieder.", "The service is away for now. Try again later."},

	"field.certificate":      {"Cette référence n'est pas complète : elle commence par N- et a 16 caractères ensuite.", "Deze referentie is niet volledig: ze begint met N-, gevolgd door 16 tekens.", "Diese Referenz ist nicht vollständig: Sie beginnt mit N-, gefolgt von 16 Zeichen.", "This reference is not complete: it begins with N- and has 16 characters behind it."},
	"field.code":             {"Ce code comporte une faute de frappe. Relisez-le : il n'a pas été compté comme un essai.", "Deze code bevat een tikfout. Lees hem na: hij telt niet als poging.", "Dieser Code enthält einen Tippfehler. Lesen Sie ihn nach: er zählt nicht als Versuch.", "This code has a slip in it. Read it again: it was not counted as a try."},
	"field.csr":              {"La demande n'est pas acceptée : envoyez une seule demande PKCS#10, en PEM ou DER, avec une clé nouvelle.", "De aanvraag is niet aanvaard: stuur één PKCS#10-aanvraag, in PEM of DER, met een nieuwe sleutel.", "Der Antrag wird nicht angenommen: Senden Sie einen einzigen PKCS#10-Antrag, in PEM oder DER, mit einem neuen Schlüssel.", "The request is not accepted: send one PKCS#10 request, PEM or DER, with a new key."},
	"field.csr.key":          {"Cette clé n'est pas acceptée. Créez une nouvelle clé P-256, P-384 ou RSA de 3072 bits.", "Deze sleutel wordt niet aanvaard. Maak een nieuwe sleutel: P-256, P-384 of RSA van 3072 bits.", "Dieser Schlüssel wird nicht angenommen. Erzeugen Sie einen neuen: P-256, P-384 oder RSA mit 3072 Bit.", "This key is not accepted. Make a new key: P-256, P-384 or RSA of 3072 bits."},
	"field.csr.signature":    {"La signature de la demande est fausse. Refaites la demande sur l'appareil où se trouve la clé.", "De handtekening van de aanvraag klopt niet. Maak de aanvraag opnieuw op het apparaat met de sleutel.", "Die Unterschrift des Antrags stimmt nicht. Erstellen Sie den Antrag neu auf dem Gerät mit dem Schlüssel.", "The request's signature is wrong. Make it again on the device that holds the key."},
	"field.csr.common_name":  {"La demande nomme quelqu'un d'autre. Laissez le nom vide.", "De aanvraag noemt iemand anders. Laat de naam leeg.", "Der Antrag nennt jemand anderen. Lassen Sie den Namen leer.", "The request names somebody else. Leave the name empty."},
	"field.csr.organization": {"La demande nomme une autre organisation. Laissez-la vide.", "De aanvraag noemt een andere organisatie. Laat die leeg.", "Der Antrag nennt eine andere Organisation. Lassen Sie sie leer.", "The request names another organisation. Leave it empty."},
	"field.csr.country":      {"La demande nomme un autre pays. Laissez-le vide.", "De aanvraag noemt een ander land. Laat het leeg.", "Der Antrag nennt ein anderes Land. Lassen Sie es leer.", "The request names another country. Leave it empty."},
	"field.device":           {"Indiquez le fabricant, le modèle et le numéro de série du dispositif où se trouve la clé.", "Geef fabrikant, model en serienummer van het apparaat met de sleutel.", "Geben Sie Hersteller, Modell und Seriennummer des Geräts mit dem Schlüssel an.", "Give the manufacturer, model and serial number of the device that holds the key."},
	"field.signature":        {"Cette signature n'est pas celle de la déclaration par la clé du certificat.", "Deze handtekening is niet die van de verklaring met de sleutel van het certificaat.", "Diese Unterschrift ist nicht die der Erklärung mit dem Schlüssel des Zertifikats.", "This is not the statement's signature by the certificate's key."},
	"field.reason":           {"Dites en 400 caractères au plus ce qui est faux.", "Zeg in hoogstens 400 tekens wat onjuist is.", "Sagen Sie in höchstens 400 Zeichen, was falsch ist.", "Say in at most 400 characters what is wrong."},
}
