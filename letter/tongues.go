package letter

import (
	"strings"

	"sceau/party"
)

func french() tongue {
	return tongue{
		of: party.French,
		warning: "Ne communiquez jamais votre code confidentiel ni un code de votre lecteur. La banque ne vous les demande " +
			"jamais, ni par téléphone, ni par e-mail, ni par SMS, ni par chat.",
		guard: guard{
			secrets: set("code codes pin nip confidentiel confidentiels passe chiffre chiffres"),
			give: set("communiquez communiquer donnez donner dites dire envoyez envoyer transmettez transmettre confiez confier indiquez " +
				"indiquer fournissez fournir répondez répondre dictez dicter révélez révéler partagez partager lisez épelez écrivez " +
				"demande demandent demandons demandera demanderons demanderont demander"),
			typed: set("tapez taper saisissez saisir entrez entrer introduisez"),
			pins:  set("confidentiel pin nip"),
			away:  set("site sites application appli internet message e mail sms chat téléphone formulaire lien"),
			never: set("ne n jamais personne aucun aucune"),
			joins: set("et mais puis"),
		},
	}
}

func dutch() tongue {
	return tongue{
		of: party.Dutch,
		warning: "Geef uw pincode of een code van uw kaartlezer nooit door. De bank vraagt er nooit naar: niet per telefoon, " +
			"niet per e-mail, niet per sms en niet via chat.",
		guard: guard{
			secrets: set("code codes pin pincode pincodes wachtwoord cijfer cijfers"),
			give: set("geef geven vertel vertellen stuur sturen zeg zeggen mail mailen deel delen antwoord antwoorden noem noemen dicteer " +
				"verstrek verstrekken vraag vraagt vragen"),
			typed: set("toets tik typ vul voer geef"),
			pins:  set("pin pincode pincodes"),
			away:  set("site website app bericht e mail sms chat telefoon formulier link"),
			never: set("nooit niet niemand geen"),
			joins: set("en maar daarna"),
			ours:  set("wij we"),
		},
	}
}

func german() tongue {
	return tongue{
		of: party.German,
		warning: "Geben Sie Ihre Geheimzahl oder einen Code Ihres Kartenlesers nie weiter. Die Bank fragt Sie nie danach: nicht am " +
			"Telefon, nicht per E-Mail, nicht per SMS und nicht im Chat.",
		guard: guard{
			secrets: set("code codes pin geheimzahl geheimzahlen passwort kennwort ziffer ziffern"),
			give: set("geben gib gebt nennen nennt senden sendet schicken schickt teilen verraten mitteilen sagen übermitteln diktieren " +
				"antworten weitergeben fragt fragen verlangt verlangen"),
			typed:  set("eingeben tippen"),
			pins:   set("pin geheimzahl geheimzahlen"),
			away:   set("website webseite seite app nachricht e mail sms chat telefon formular link"),
			never:  set("nie niemals nicht niemandem niemand kein keine keinen keinem"),
			joins:  set("und aber dann"),
			ours:   set("wir"),
			reader: set("kartenleser lesegerät"), // "geben Sie die Geheimzahl am Kartenleser ein"
		},
	}
}

func english() tongue {
	return tongue{
		of: party.English,
		warning: "Never give anyone your PIN or a code from your card reader. The bank never asks you for them: not by phone, " +
			"not by e-mail, not by SMS and not by chat.",
		guard: guard{
			secrets: set("pin pins code codes password passcode digit digits"),
			give: set("tell give send share reveal disclose provide communicate reply answer say read mail text forward quote dictate " +
				"ask asks asking"),
			typed: set("type enter key"),
			pins:  set("pin pins"),
			away:  set("site website app message e mail sms chat phone telephone form link"),
			never: set("never not no nobody none don cannot"),
			joins: set("and but then"),
			ours:  set("we"),
		},
	}
}

// set is a set of words.
func set(all string) map[string]bool {
	words := map[string]bool{}
	for word := range strings.FieldsSeq(all) {
		words[word] = true
	}
	return words
}
