package letter

func french() words {
	return words{
		dateLabel: "Date", dateFormat: "%d %s %d",
		months: [12]string{
			"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre",
			"octobre", "novembre", "décembre",
		},
		salutation: "Bonjour",
		regards:    "Nous vous prions d’agréer nos salutations distinguées.",
		phone:      "Téléphone", website: "Site internet",
		clientID: "Identifiant client", userNumber: "Numéro d’utilisateur",
		advice: "Ne communiquez jamais votre code confidentiel ni un code de votre lecteur. La banque ne vous les demande " +
			"jamais, ni par téléphone, ni par e-mail, ni par SMS, ni par chat. Un appel ou un message vous semble suspect\u00a0? " +
			"Ne répondez pas et appelez-nous au {phone}.",
		card: cardWords{
			adviceTitle: "Ne donnez vos codes à personne",
			subject:     "Votre carte d’authentification",
			intro: "Voici votre carte d’authentification. Avec le lecteur de carte, elle vous permet d’accéder à votre espace " +
				"en ligne et de signer vos opérations. Votre code confidentiel vous parviendra dans quelques jours, par un courrier séparé.",
			introBranch: "Votre carte d’authentification est prête. Avec le lecteur de carte, elle vous permet d’accéder à votre " +
				"espace en ligne et de signer vos opérations. Votre code confidentiel vous parviendra par un courrier séparé.",
			product: "Produit", cardNumber: "Carte", expiry: "Expire fin",
			cardHere:      "Votre carte",
			branchTitle:   "Votre carte vous attend dans votre agence",
			branch:        "Présentez-vous avec une pièce d’identité en cours de validité. La carte n’est remise qu’à vous, en main propre.",
			activateTitle: "Activer votre carte",
			activate: "Attendez d’avoir reçu votre code confidentiel. Connectez-vous sur {website} avec votre identifiant client, " +
				"votre numéro d’utilisateur et un code du lecteur. Votre carte est active dès le premier code accepté.",
			readerTitle: "Utiliser le lecteur",
			reader: "1. Introduisez la carte, puce face à vous.\n2. Appuyez sur la touche CODE.\n3. Tapez votre code confidentiel et validez.\n" +
				"4. Recopiez sur le site les 8 chiffres affichés.",
			blockedTitle: "Après trois codes faux",
			blocked:      "Trois codes confidentiels faux bloquent la carte. Appelez-nous au {phone}.",
			lostTitle:    "Carte perdue ou volée",
			lost:         "Appelez-nous aussitôt au {phone}. Nous bloquons la carte et vous en envoyons une nouvelle.",
		},
		pin: pinWords{
			adviceTitle: "Ne donnez ce code à personne",
			subject:     "Votre code confidentiel",
			intro:       "Voici le code confidentiel de votre carte. La carte vous est remise séparément.",
			label:       "Votre code confidentiel",
			learnTitle:  "Retenez ce code, puis détruisez cette lettre",
			learn:       "N’écrivez ce code nulle part\u00a0: ni sur la carte, ni sur le lecteur, ni dans votre téléphone.",
			useTitle:    "Tapez ce code sur le lecteur de carte seulement",
			use: "Après avoir appuyé sur la touche CODE, tapez ce code sur le lecteur, à l’abri des regards. Ne le tapez jamais " +
				"sur un site, dans une application ou dans un message. Trois codes faux bloquent la carte.",
			openedTitle: "Cette lettre était ouverte ou abîmée\u00a0?",
			opened:      "N’utilisez pas ce code. Appelez-nous au {phone}\u00a0: nous vous en enverrons un nouveau.",
		},
	}
}
