package notice

import (
	"strings"

	"sceau/lifecycle"
	"sceau/party"
)

// words are the texts of a language. Names in braces are filled in.
type words struct {
	colon       string // between the bank and the subject
	salutation  string
	holder      string // whom it is about
	certificate string // which one it is about
	warning     string // stands in every notice
	told        map[lifecycle.NoticeKind]told
	expiring    map[int]told // by the days that are left
	corrected   [5]string    // by the bits of [lifecycle.Corrections]
	settings    [8]string    // by their numbers, from 1
	reasons     map[lifecycle.RevocationReason]string
}

// told is a subject and the paragraphs under it.
type told struct {
	subject string
	text    []string
}

// list names what was corrected.
func (w words) list(c lifecycle.Corrections) string {
	var all []string
	for bit, name := range w.corrected {
		if c&(1<<bit) != 0 {
			all = append(all, name)
		}
	}
	return strings.Join(all, ", ")
}

// setting names a security setting.
func (w words) setting(number int) string {
	if number < 1 || number > len(w.settings) {
		return ""
	}
	return w.settings[number-1]
}

func tongues() map[party.Language]words {
	return map[party.Language]words{party.French: french(), party.Dutch: dutch(), party.German: german(), party.English: english()}
}

// expiries gives the two texts of an expiry their days.
func expiries(early, last told) map[int]told {
	all := map[int]told{}
	latest := 0
	for _, latest = range lifecycle.ExpiryNotices() {
		all[latest] = early
	}
	all[latest] = last
	return all
}

func french() words {
	const unasked = "Si vous n’êtes pas à l’origine de cette demande, appelez-nous sans attendre au {phone}."
	const renew = "Pour continuer à utiliser nos services après cette date, demandez dès maintenant un nouveau certificat à votre chargé " +
		"d’affaires. Le renouvellement se fait toujours avec une nouvelle clé. Si vous avez déjà fait cette demande, ne tenez pas compte " +
		"de ce message."
	return words{
		colon: " : ", salutation: "Bonjour {name},",
		holder:      "Porteur : {name}, {company}",
		certificate: "Porteur : {name}, {company}\nNuméro de série du certificat finissant par : {serial}",
		warning: "Nous ne vous demandons jamais de code ni de mot de passe, ni par e-mail, ni par téléphone, ni par SMS, ni par chat. Ce " +
			"message ne contient ni lien ni pièce jointe.",
		told: map[lifecycle.NoticeKind]told{
			lifecycle.NoticeIssued: {"votre certificat est établi", []string{
				"Nous avons établi votre certificat électronique le {at}. Il est valable jusqu’au {ends}.",
				"Avant de l’accepter, vérifiez que les mentions qu’il porte sont exactes.", unasked,
			}},
			lifecycle.NoticeHeld: {"votre certificat est suspendu", []string{
				"Votre certificat électronique est suspendu depuis le {at}. Il est refusé tant que la suspension n’est pas levée.",
				"Pour faire lever la suspension, adressez-vous à votre chargé d’affaires. Si vous pensez que quelqu’un d’autre a pu utiliser " +
					"votre clé, demandez la révocation du certificat : elle est définitive.", unasked,
			}},
			lifecycle.NoticeReleased: {"la suspension de votre certificat est levée", []string{
				"La suspension de votre certificat électronique a été levée le {at}. Vous pouvez de nouveau l’utiliser, jusqu’au {ends}.", unasked,
			}},
			lifecycle.NoticeSetting: {"un réglage de sécurité va être assoupli", []string{
				"Le {at}, nous avons reçu une demande d’assouplir un réglage de sécurité : {setting}. Elle prendra effet le {ends} à {hour} (heure UTC), sauf si vous l’arrêtez avant.",
				"Ce n’est pas vous ? Appelez-nous sans attendre au {phone}, ou arrêtez-la dans votre banque en ligne, sous la référence {change}.",
			}},
			lifecycle.NoticeCorrected: {"vos coordonnées ont été corrigées", []string{
				"Nous avons corrigé le {at} ce que nous avons enregistré à votre sujet : {corrected}.", unasked,
			}},
			lifecycle.NoticeRevoked: {"votre certificat est révoqué", []string{
				"Votre certificat électronique a été révoqué. La révocation a pris effet au plus tard le {at} ; elle est définitive et le " +
					"certificat ne peut plus servir.",
				"Si vous avez besoin d’un nouveau certificat, adressez-vous à votre chargé d’affaires.", unasked,
			}},
			lifecycle.NoticeRenewal: {"votre certificat est à renouveler", []string{
				"Votre certificat électronique, valable jusqu’au {ends}, doit être remplacé par un nouveau, avec une nouvelle clé.",
				"Adressez-vous à votre chargé d’affaires : il vous dira s’il lui faut des justificatifs et vous remettra ce qui permet de " +
					"retirer le nouveau certificat.", "En cas de doute sur ce message, appelez-nous au {phone}.",
			}},
		},
		settings: [8]string{"virements vers l’étranger", "utilisation des cartes à l’étranger et en ligne", "prélèvements", "paiements sans signature", "plafonds",
			"délai des nouveaux bénéficiaires", "alertes", "double signature"},
		corrected: [5]string{"votre nom", "le nom ou l’immatriculation de votre entreprise", "votre langue", "votre adresse e-mail", "votre adresse postale"},
		expiring: expiries(
			told{"votre certificat expire bientôt", []string{"Votre certificat électronique expire le {ends}.", renew}},
			told{"dernier rappel, votre certificat expire le {ends}", []string{
				"Votre certificat électronique expire le {ends}. Ceci est notre dernier rappel.", renew,
			}}),
		reasons: map[lifecycle.RevocationReason]string{
			lifecycle.ReasonKeyCompromise:        "Motif : la clé a été perdue ou volée, ou quelqu’un d’autre a pu en disposer.",
			lifecycle.ReasonAffiliationChanged:   "Motif : vos fonctions ou votre rattachement à l’entreprise ont changé.",
			lifecycle.ReasonSuperseded:           "Motif : un autre certificat le remplace.",
			lifecycle.ReasonCessationOfOperation: "Motif : vous n’en avez plus l’usage.",
			lifecycle.ReasonPrivilegeWithdrawn:   "Motif : les droits auxquels il était attaché ont été retirés.",
			lifecycle.ReasonCACompromise:         "Motif : la sécurité de l’autorité qui l’a signé n’est plus assurée.",
			lifecycle.ReasonAACompromise:         "Motif : la sécurité de l’autorité qui l’a signé n’est plus assurée.",
		},
	}
}

func dutch() words {
	const unasked = "Komt deze aanvraag niet van u, bel ons dan meteen op {phone}."
	const renew = "Wilt u onze diensten na die datum blijven gebruiken, vraag dan nu een nieuw certificaat aan bij uw relatiebeheerder. Bij een " +
		"vernieuwing hoort altijd een nieuwe sleutel. Hebt u het al aangevraagd, dan kunt u dit bericht als niet geschreven beschouwen."
	return words{
		colon: ": ", salutation: "Beste {name},",
		holder:      "Houder: {name}, {company}",
		certificate: "Houder: {name}, {company}\nSerienummer van het certificaat eindigt op: {serial}",
		warning: "Wij vragen u nooit naar een code of een wachtwoord: niet per e-mail, niet per telefoon, niet per sms en niet via chat. Dit " +
			"bericht bevat geen link en geen bijlage.",
		told: map[lifecycle.NoticeKind]told{
			lifecycle.NoticeIssued: {"uw certificaat is uitgegeven", []string{
				"Op {at} hebben wij uw elektronisch certificaat uitgegeven. Het is geldig tot en met {ends}.",
				"Controleer of de gegevens erin juist zijn voordat u het aanvaardt.", unasked,
			}},
			lifecycle.NoticeHeld: {"uw certificaat is opgeschort", []string{
				"Uw elektronisch certificaat is sinds {at} opgeschort. Het wordt geweigerd zolang de opschorting duurt.",
				"Uw relatiebeheerder kan de opschorting laten opheffen. Denkt u dat iemand anders uw sleutel heeft kunnen gebruiken, vraag dan " +
					"om intrekking van het certificaat: die is definitief.", unasked,
			}},
			lifecycle.NoticeReleased: {"de opschorting van uw certificaat is opgeheven", []string{
				"De opschorting van uw elektronisch certificaat is op {at} opgeheven. U kunt het weer gebruiken, tot en met {ends}.", unasked,
			}},
			lifecycle.NoticeSetting: {"een beveiligingsinstelling wordt versoepeld", []string{
				"Op {at} kregen wij een aanvraag om een beveiligingsinstelling te versoepelen: {setting}. Zij gaat in op {ends} om {hour} (UTC), tenzij u haar eerder stopzet.",
				"Was u dit niet? Bel ons onmiddellijk op {phone}, of zet haar stop in uw internetbankieren, met de referentie {change}.",
			}},
			lifecycle.NoticeCorrected: {"uw gegevens zijn verbeterd", []string{
				"Op {at} hebben wij verbeterd wat wij over u hebben genoteerd: {corrected}.", unasked,
			}},
			lifecycle.NoticeRevoked: {"uw certificaat is ingetrokken", []string{
				"Uw elektronisch certificaat is ingetrokken. De intrekking geldt uiterlijk sinds {at}; ze is definitief en het certificaat kan niet " +
					"meer worden gebruikt.",
				"Hebt u een nieuw certificaat nodig, neem dan contact op met uw relatiebeheerder.", unasked,
			}},
			lifecycle.NoticeRenewal: {"uw certificaat moet worden vernieuwd", []string{
				"Uw elektronisch certificaat, geldig tot en met {ends}, moet worden vervangen door een nieuw, met een nieuwe sleutel.",
				"Neem contact op met uw relatiebeheerder: die zegt u of er bewijsstukken nodig zijn en overhandigt u wat u nodig hebt om het " +
					"nieuwe certificaat op te halen.", "Twijfelt u aan dit bericht, bel ons dan op {phone}.",
			}},
		},
		settings: [8]string{"overschrijvingen naar het buitenland", "gebruik van kaarten in het buitenland en online", "domiciliëringen", "betalingen zonder handtekening", "limieten",
			"wachttijd voor nieuwe begunstigden", "meldingen", "dubbele handtekening"},
		corrected: [5]string{"uw naam", "de naam of het ondernemingsnummer van uw onderneming", "uw taal", "uw e-mailadres", "uw postadres"},
		expiring: expiries(
			told{"uw certificaat vervalt binnenkort", []string{"Uw elektronisch certificaat vervalt op {ends}.", renew}},
			told{"laatste herinnering, uw certificaat vervalt op {ends}", []string{
				"Uw elektronisch certificaat vervalt op {ends}. Dit is onze laatste herinnering.", renew,
			}}),
		reasons: map[lifecycle.RevocationReason]string{
			lifecycle.ReasonKeyCompromise:        "Reden: de sleutel is verloren of gestolen, of iemand anders heeft erover kunnen beschikken.",
			lifecycle.ReasonAffiliationChanged:   "Reden: uw functie of uw band met de onderneming is veranderd.",
			lifecycle.ReasonSuperseded:           "Reden: een ander certificaat vervangt het.",
			lifecycle.ReasonCessationOfOperation: "Reden: u hebt het niet meer nodig.",
			lifecycle.ReasonPrivilegeWithdrawn:   "Reden: de rechten waarvoor het diende, zijn ingetrokken.",
			lifecycle.ReasonCACompromise:         "Reden: de veiligheid van de instantie die het ondertekende, is niet meer verzekerd.",
			lifecycle.ReasonAACompromise:         "Reden: de veiligheid van de instantie die het ondertekende, is niet meer verzekerd.",
		},
	}
}

func german() words {
	const unasked = "Falls dies nicht auf Ihre Veranlassung geschah, rufen Sie uns bitte sofort an: {phone}."
	const renew = "Wenn Sie unsere Dienste danach weiter nutzen möchten, beantragen Sie bitte schon jetzt ein neues Zertifikat bei Ihrem " +
		"Firmenkundenbetreuer. Eine Erneuerung erfolgt immer mit einem neuen Schlüssel. Falls Sie es bereits beantragt haben, betrachten Sie " +
		"diese Nachricht als gegenstandslos."
	return words{
		colon: ": ", salutation: "Guten Tag {name},",
		holder:      "Inhaber: {name}, {company}",
		certificate: "Inhaber: {name}, {company}\nSeriennummer des Zertifikats endet auf: {serial}",
		warning: "Wir fragen Sie nie nach einem Code oder einem Passwort: nicht per E-Mail, nicht am Telefon, nicht per SMS und nicht im Chat. " +
			"Diese Nachricht enthält weder einen Link noch einen Anhang.",
		told: map[lifecycle.NoticeKind]told{
			lifecycle.NoticeIssued: {"Ihr Zertifikat ist ausgestellt", []string{
				"Am {at} haben wir Ihr elektronisches Zertifikat ausgestellt. Es ist bis zum {ends} gültig.",
				"Bitte prüfen Sie, ob die Angaben darin stimmen, bevor Sie es annehmen.", unasked,
			}},
			lifecycle.NoticeHeld: {"Ihr Zertifikat ist ausgesetzt", []string{
				"Ihr elektronisches Zertifikat ist seit dem {at} ausgesetzt. Es wird abgelehnt, solange die Aussetzung dauert.",
				"Ihr Firmenkundenbetreuer kann die Aussetzung aufheben lassen. Wenn jemand anders Ihren Schlüssel benutzt haben könnte, verlangen " +
					"Sie den Widerruf des Zertifikats: Er ist endgültig.", unasked,
			}},
			lifecycle.NoticeReleased: {"die Aussetzung Ihres Zertifikats ist aufgehoben", []string{
				"Die Aussetzung Ihres elektronischen Zertifikats wurde am {at} aufgehoben. Sie können es wieder verwenden, bis zum {ends}.", unasked,
			}},
			lifecycle.NoticeSetting: {"eine Sicherheitseinstellung wird gelockert", []string{
				"Am {at} ging bei uns der Auftrag ein, eine Sicherheitseinstellung zu lockern: {setting}. Er wird am {ends} um {hour} Uhr (UTC) wirksam, wenn Sie ihn nicht vorher stoppen.",
				"Das waren nicht Sie? Rufen Sie sofort {phone} an, oder stoppen Sie ihn in Ihrem Online-Banking unter der Referenz {change}.",
			}},
			lifecycle.NoticeCorrected: {"Ihre Angaben wurden berichtigt", []string{
				"Am {at} haben wir berichtigt, was wir über Sie gespeichert haben: {corrected}.", unasked,
			}},
			lifecycle.NoticeRevoked: {"Ihr Zertifikat ist widerrufen", []string{
				"Ihr elektronisches Zertifikat wurde widerrufen. Der Widerruf gilt spätestens seit dem {at}; er ist endgültig, und das Zertifikat " +
					"kann nicht mehr verwendet werden.",
				"Wenn Sie ein neues Zertifikat benötigen, wenden Sie sich an Ihren Firmenkundenbetreuer.", unasked,
			}},
			lifecycle.NoticeRenewal: {"Ihr Zertifikat muss erneuert werden", []string{
				"Ihr elektronisches Zertifikat, gültig bis zum {ends}, muss durch ein neues mit einem neuen Schlüssel ersetzt werden.",
				"Bitte wenden Sie sich an Ihren Firmenkundenbetreuer: Er sagt Ihnen, ob Nachweise nötig sind, und übergibt Ihnen, was Sie zum " +
					"Abholen des neuen Zertifikats brauchen.", "Im Zweifel rufen Sie uns bitte an: {phone}.",
			}},
		},
		settings: [8]string{"Überweisungen ins Ausland", "Karten im Ausland und online", "Lastschriften", "Zahlungen ohne Unterschrift", "Limite",
			"Wartezeit neuer Empfänger", "Benachrichtigungen", "zweite Unterschrift"},
		corrected: [5]string{"Ihren Namen", "Namen oder Registernummer Ihres Unternehmens", "Ihre Sprache", "Ihre E-Mail-Adresse", "Ihre Postanschrift"},
		expiring: expiries(
			told{"Ihr Zertifikat läuft bald ab", []string{"Ihr elektronisches Zertifikat läuft am {ends} ab.", renew}},
			told{"letzte Erinnerung, Ihr Zertifikat läuft am {ends} ab", []string{
				"Ihr elektronisches Zertifikat läuft am {ends} ab. Dies ist unsere letzte Erinnerung.", renew,
			}}),
		reasons: map[lifecycle.RevocationReason]string{
			lifecycle.ReasonKeyCompromise:        "Grund: Der Schlüssel ist verloren oder gestohlen, oder jemand anders konnte über ihn verfügen.",
			lifecycle.ReasonAffiliationChanged:   "Grund: Ihre Aufgabe oder Ihre Zugehörigkeit zum Unternehmen hat sich geändert.",
			lifecycle.ReasonSuperseded:           "Grund: Ein anderes Zertifikat ersetzt es.",
			lifecycle.ReasonCessationOfOperation: "Grund: Sie benötigen es nicht mehr.",
			lifecycle.ReasonPrivilegeWithdrawn:   "Grund: Die Rechte, für die es galt, wurden entzogen.",
			lifecycle.ReasonCACompromise:         "Grund: Die Sicherheit der Stelle, die es signiert hat, ist nicht mehr gewährleistet.",
			lifecycle.ReasonAACompromise:         "Grund: Die Sicherheit der Stelle, die es signiert hat, ist nicht mehr gewährleistet.",
		},
	}
}

func english() words {
	const unasked = "If this was not asked for by you, call us at once on {phone}."
	const renew = "To go on using our services after that date, ask your account manager for a new certificate now. A renewal always comes with " +
		"a new key. If you have asked already, please ignore this message."
	return words{
		colon: ": ", salutation: "Dear {name},",
		holder:      "Holder: {name}, {company}",
		certificate: "Holder: {name}, {company}\nSerial number of the certificate ends in: {serial}",
		warning: "We never ask you for a code or a password: not by e-mail, not by phone, not by SMS and not by chat. This message has no link " +
			"and no attachment.",
		told: map[lifecycle.NoticeKind]told{
			lifecycle.NoticeIssued: {"your certificate has been issued", []string{
				"We issued your electronic certificate on {at}. It is valid until {ends}.",
				"Check that what it says is right before you accept it.", unasked,
			}},
			lifecycle.NoticeHeld: {"your certificate is on hold", []string{
				"Your electronic certificate has been on hold since {at}. It is refused while the hold lasts.",
				"Your account manager can have the hold released. If somebody else may have used your key, ask for the certificate to be revoked: " +
					"that is for ever.", unasked,
			}},
			lifecycle.NoticeReleased: {"your certificate is no longer on hold", []string{
				"The hold on your electronic certificate was released on {at}. You can use it again, until {ends}.", unasked,
			}},
			lifecycle.NoticeSetting: {"a security setting is to be loosened", []string{
				"On {at} we were asked to loosen a security setting: {setting}. It takes effect on {ends} at {hour} (UTC), unless you stop it before.",
				"This was not you? Call us at once on {phone}, or stop it in your online banking, by the reference {change}.",
			}},
			lifecycle.NoticeCorrected: {"your details were corrected", []string{
				"On {at} we corrected what we have on record of you: {corrected}.", unasked,
			}},
			lifecycle.NoticeRevoked: {"your certificate has been revoked", []string{
				"Your electronic certificate has been revoked, with effect from {at} at the latest. This is for ever: the certificate can no longer " +
					"be used.",
				"If you need a new certificate, talk to your account manager.", unasked,
			}},
			lifecycle.NoticeRenewal: {"your certificate must be renewed", []string{
				"Your electronic certificate, valid until {ends}, must be replaced by a new one, with a new key.",
				"Talk to your account manager, who will tell you whether evidence is needed and hand over to you what it takes to collect the new " +
					"certificate.", "If you doubt this message, call us on {phone}.",
			}},
		},
		settings: [8]string{"transfers abroad", "cards abroad and online", "direct debits", "payments without signature", "limits",
			"delay of new payees", "alerts", "dual signature"},
		corrected: [5]string{"your name", "your company’s name or registration", "your language", "your e-mail address", "your postal address"},
		expiring: expiries(
			told{"your certificate expires soon", []string{"Your electronic certificate expires on {ends}.", renew}},
			told{"last reminder, your certificate expires on {ends}", []string{
				"Your electronic certificate expires on {ends}. This is our last reminder.", renew,
			}}),
		reasons: map[lifecycle.RevocationReason]string{
			lifecycle.ReasonKeyCompromise:        "Reason: the key was lost or stolen, or somebody else may have had it.",
			lifecycle.ReasonAffiliationChanged:   "Reason: your position or your link with the company has changed.",
			lifecycle.ReasonSuperseded:           "Reason: another certificate replaces it.",
			lifecycle.ReasonCessationOfOperation: "Reason: you no longer need it.",
			lifecycle.ReasonPrivilegeWithdrawn:   "Reason: the rights that it stood for were withdrawn.",
			lifecycle.ReasonCACompromise:         "Reason: the security of the authority that signed it is no longer assured.",
			lifecycle.ReasonAACompromise:         "Reason: the security of the authority that signed it is no longer assured.",
		},
	}
}
