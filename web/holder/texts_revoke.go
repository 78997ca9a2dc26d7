package holder

// revocationTexts are those of the pages on which a certificate is revoked, in the
// order of [party.Languages].
var revocationTexts = map[string][4]string{
	"revoke.title": {"Révoquer un certificat", "Een certificaat intrekken", "Ein Zertifikat widerrufen", "Revoke a certificate"},
	"revoke.lead": {
		"Jour et nuit, sans vous connecter : avec votre code de révocation, ce certificat ne vaudra plus rien quelques secondes après votre confirmation.",
		"Dag en nacht, zonder aan te melden: met uw intrekkingscode is dit certificaat enkele seconden na uw bevestiging niets meer waard.",
		"Tag und Nacht, ohne Anmeldung: Mit Ihrem Widerrufscode ist dieses Zertifikat wenige Sekunden nach Ihrer Bestätigung nichts mehr wert.",
		"Day and night, without signing in: with your revocation code, this certificate is worth nothing some seconds after you confirm.",
	},
	"revoke.reference": {"Référence ou numéro de série du certificat, ou identifiant client", "Referentie of serienummer van het certificaat, of klantnummer", "Referenz oder Seriennummer des Zertifikats, oder Kundennummer", "Certificate reference or serial number, or client ID"},
	"revoke.reference.hint": {
		"La référence commence par N-. L'identifiant client a 8 chiffres, suivis si vous voulez d'un tiret et du numéro d'utilisateur.",
		"De referentie begint met N-. Het klantnummer heeft 8 cijfers, desgewenst met een streepje en het gebruikersnummer erachter.",
		"Die Referenz beginnt mit N-. Die Kundennummer hat 8 Ziffern, wenn Sie wollen mit Strich und Benutzernummer dahinter.",
		"The reference begins with N-. The client ID has 8 digits, with a dash and the user number behind them if you like.",
	},
	"revoke.code": {"Code de révocation", "Intrekkingscode", "Widerrufscode", "Revocation code"},
	"revoke.call": {
		"Sans le code, appelez votre banque : elle révoque le certificat après quelques questions.", "Zonder de code belt u uw bank: die trekt het certificaat in na enkele vragen.",
		"Ohne den Code rufen Sie Ihre Bank an: Sie widerruft das Zertifikat nach einigen Fragen.", "Without the code, call your bank: it revokes the certificate after some questions.",
	},
	"revoke.wrong":         {"Codes faux essayés récemment par quelqu'un", "Foute codes die iemand onlangs heeft geprobeerd", "Falsche Codes, die jemand kürzlich versucht hat", "Wrong codes that somebody tried lately"},
	"revoke.what":          {"Que s'est-il passé ?", "Wat is er gebeurd?", "Was ist geschehen?", "What happened?"},
	"revoke.what.lost":     {"J'ai perdu l'appareil ou le fichier où se trouve la clé", "Ik ben het apparaat of bestand met de sleutel kwijt", "Ich habe das Gerät oder die Datei mit dem Schlüssel verloren", "I lost the device or file that holds the key"},
	"revoke.what.stolen":   {"La clé ou son code ont été volés, ou quelqu'un d'autre les connaît", "De sleutel of de code is gestolen, of iemand anders kent ze", "Der Schlüssel oder sein Code wurde gestolen, oder jemand anders kennt ihn", "The key or its code was stolen, or somebody else knows it"},
	"revoke.what.left":     {"Le titulaire a quitté l'organisation", "De houder heeft de organisatie verlaten", "Der Inhaber hat die Organisation verlassen", "The holder has left the organisation"},
	"revoke.what.changed":  {"Le nom ou d'autres données ont changé", "De naam of andere gegevens zijn veranderd", "Der Name oder andere Angaben haben sich geändert", "The name or other details have changed"},
	"revoke.what.replaced": {"Un autre certificat le remplace", "Een ander certificaat vervangt het", "Ein anderes Zertifikat ersetzt es", "Another certificate replaces it"},
	"revoke.what.unused":   {"Il n'est plus utilisé", "Het wordt niet meer gebruikt", "Es wird nicht mehr benutzt", "It is no longer used"},
	"revoke.what.other":    {"Autre chose", "Iets anders", "Etwas anderes", "Something else"},
	"revoke.since":         {"Depuis quel jour la clé n'est-elle plus sûre ?", "Sinds welke dag is de sleutel niet meer veilig?", "Seit welchem Tag ist der Schlüssel nicht mehr sicher?", "Since which day has the key not been safe?"},
	"revoke.since.hint":    {"Laissez vide si vous ne le savez pas.", "Laat leeg als u het niet weet.", "Lassen Sie es leer, wenn Sie es nicht wissen.", "Leave it empty if you do not know."},
	"revoke.final": {
		"La révocation est définitive : personne ne peut l'annuler.", "De intrekking is definitief: niemand kan ze ongedaan maken.",
		"Der Widerruf ist endgültig: Niemand kann ihn rückgängig machen.", "Revocation is final: nobody can undo it.",
	},
	"revoke.send":    {"Révoquer maintenant", "Nu intrekken", "Jetzt widerrufen", "Revoke now"},
	"revoke.back":    {"Corriger", "Verbeteren", "Ändern", "Correct"},
	"revoke.done":    {"Le certificat est révoqué.", "Het certificaat is ingetrokken.", "Das Zertifikat ist widerrufen.", "The certificate is revoked."},
	"revoke.receipt": {"Numéro de reçu", "Ontvangstnummer", "Quittungsnummer", "Receipt number"},
	"revoke.at":      {"Révoqué le", "Ingetrokken op", "Widerrufen am", "Revoked at"},
	"revoke.listed":  {"Motif publié", "Gepubliceerde reden", "Veröffentlichter Grund", "Published reason"},
	"revoke.after": {
		"Notez le numéro de reçu. Votre banque vous confirme la révocation par courriel et ne vous demandera jamais de code.",
		"Noteer het ontvangstnummer. Uw bank bevestigt de intrekking per e-mail en vraagt u nooit om een code.",
		"Notieren Sie die Quittungsnummer. Ihre Bank bestätigt den Widerruf per E-Mail und fragt Sie nie nach einem Code.",
		"Note the receipt number. Your bank confirms the revocation by e-mail and will never ask you for a code.",
	},

	"code": {"Votre code de révocation", "Uw intrekkingscode", "Ihr Widerrufscode", "Your revocation code"},
	"code.lead": {
		"Notez-le et gardez-le loin de l'appareil où se trouve la clé. Il n'est montré qu'une fois. Avec lui, vous révoquez ce certificat jour et nuit, sans vous connecter, à la page /revoke.",
		"Noteer hem en bewaar hem ver van het apparaat met de sleutel. Hij wordt maar één keer getoond. Daarmee trekt u dit certificaat dag en nacht in, zonder aan te melden, op de pagina /revoke.",
		"Notieren Sie ihn und bewahren Sie ihn fern vom Gerät mit dem Schlüssel auf. Er wird nur einmal gezeigt. Mit ihm widerrufen Sie dieses Zertifikat Tag und Nacht, ohne Anmeldung, auf der Seite /revoke.",
		"Note it and keep it away from the device that holds the key. It is shown once only. With it you revoke this certificate day and night, without signing in, at the page /revoke.",
	},
	"code.new": {
		"Créer un nouveau code de révocation ; l'ancien ne vaudra plus rien", "Een nieuwe intrekkingscode maken; de oude geldt niet meer",
		"Einen neuen Widerrufscode erzeugen; der alte gilt nicht mehr", "Make a new revocation code; the old one is of no more use",
	},

	"revoke.refused": {
		"Cette référence et ce code n'ouvrent rien, ou la session est terminée. Vérifiez-les ; ou appelez votre banque, jour et nuit.",
		"Deze referentie en code openen niets, of de sessie is voorbij. Kijk ze na; of bel uw bank, dag en nacht.",
		"Diese Referenz und dieser Code öffnen nichts, oder die Sitzung ist beendet. Prüfen Sie beide; oder rufen Sie Ihre Bank an, Tag und Nacht.",
		"This reference and this code open nothing, or the session is over. Look at both again; or call your bank, day and night.",
	},
	"revoke.409": {
		"Ce certificat ne peut plus être révoqué : il est expiré, annulé ou déjà révoqué.", "Dit certificaat kan niet meer worden ingetrokken: het is verlopen, geannuleerd of al ingetrokken.",
		"Dieses Zertifikat kann nicht mehr widerrufen werden: Es ist abgelaufen, storniert oder schon widerrufen.", "This certificate cannot be revoked any more: it has expired, was cancelled or is revoked already.",
	},
	"field.reference": {
		"Saisissez la référence (N- et 16 caractères), le numéro de série (32 chiffres hexadécimaux) ou l'identifiant client (8 chiffres).",
		"Voer de referentie (N- en 16 tekens), het serienummer (32 hexadecimale cijfers) of het klantnummer (8 cijfers) in.",
		"Geben Sie die Referenz (N- und 16 Zeichen), die Seriennummer (32 hexadezimale Ziffern) oder die Kundennummer (8 Ziffern) ein.",
		"Type the reference (N- and 16 characters), the serial number (32 hexadecimal digits) or the client ID (8 digits).",
	},
	"field.what":            {"Choisissez ce qui s'est passé.", "Kies wat er is gebeurd.", "Wählen Sie, was geschehen ist.", "Choose what happened."},
	"field.invalidity_date": {"Donnez un jour passé, après l'an 2000, ou laissez vide.", "Geef een dag in het verleden, na het jaar 2000, of laat leeg.", "Geben Sie einen vergangenen Tag nach dem Jahr 2000 an, oder lassen Sie das Feld leer.", "Give a past day, after the year 2000, or leave it empty."},
}
