"""The words that answer, by language, and the few that may stand beside them. Data only; `grammar` reads it.

A phrase is here when, standing alone, it can mean nothing else in its language. What says no to a yes ("not approved",
"nicht genehmigt", "不同意") is left out on purpose: it decides nothing, and its sender gets the help mail. Accents and
case are folded before comparing, so each word is written once, as its language writes it.
"""

APPROVE: dict[str, str] = {
    "English": """
        approve|approved|yes|yep|yeah|ok|okay|okey|agree|agreed|accept|accepted|allow|allowed|grant|granted|permit
        |permitted
        |authorize|authorized|authorise|authorised|go ahead|lgtm|i agree|i accept|i approve|i approved|i have approved
        |i approve it|i approve this|i approve this request|i approve the request|i hereby approve|approve it
        |approve this
        |approve this request|approve the request|approve request|request approved|this is approved|it is approved
        |access approved|access granted|approval granted|permission granted|yes i approve|yes i agree""",
    "German": """
        ja|genehmigt|genehmige|genehmigen|ich genehmige|ich genehmige das|ich genehmige es|ich genehmige die anfrage
        |wird genehmigt|ist genehmigt|anfrage genehmigt|antrag genehmigt|hiermit genehmigt|genehmigung erteilt
        |freigegeben
        |freigeben|freigabe erteilt|ich gebe frei|zugestimmt|zustimmen|stimme zu|ich stimme zu|einverstanden
        |ich bin einverstanden|bewilligt|akzeptiert|akzeptiere|ich akzeptiere|erlaubt|ich erlaube|in ordnung|okay""",
    "French": """
        oui|approuvé|approuvée|approuver|approuve|j'approuve|je l'approuve|demande approuvée|accepté|acceptée|accepter
        |j'accepte|accordé|accordée|autorisé|autorisée|autoriser|j'autorise|validé|validée|valider|je valide|d'accord
        |je suis d'accord|accord|bon pour accord""",
    "Spanish": """
        sí|aprobado|aprobada|aprobar|apruebo|lo apruebo|yo apruebo|apruébalo|solicitud aprobada|queda aprobado
        |aceptado
        |aceptada|aceptar|acepto|autorizado|autorizada|autorizar|autorizo|concedido|concedida|permitido|de acuerdo
        |estoy de acuerdo|conforme|vale""",
    "Portuguese": """
        sim|aprovado|aprovada|aprovar|aprovo|eu aprovo|pedido aprovado|solicitação aprovada|aceito|aceite|aceitar
        |autorizado|autorizada|autorizar|autorizo|concedido|concedida|permitido|de acordo|estou de acordo|concordo
        |deferido|deferida""",
    "Italian": """
        sì|approvato|approvata|approvare|approvo|lo approvo|io approvo|richiesta approvata|accettato|accettata
        |accettare
        |accetto|autorizzato|autorizzata|autorizzare|autorizzo|concesso|concessa|consentito|acconsento|d'accordo
        |sono d'accordo|va bene|concordo""",
    "Dutch": """
        ja|goedgekeurd|goedkeuren|keur goed|ik keur goed|ik keur het goed|ik keur dit goed|aanvraag goedgekeurd
        |akkoord
        |ga akkoord|ik ga akkoord|mee eens|toegestaan|toestaan|geaccepteerd|accepteren|ik accepteer|verleend|oké""",
    "Polish": """
        tak|zatwierdzam|zatwierdzone|zatwierdzono|zatwierdzony|zatwierdzona|zatwierdź|zatwierdzić|akceptuję
        |zaakceptowane
        |zaakceptowano|zaakceptowany|zaakceptuj|zaakceptować|zgoda|zgadzam się|wyrażam zgodę|aprobuję|zaaprobowano
        |zezwalam|dozwolone
        |przyznane""",
    "Turkish": """
        evet|onay|onayla|onaylayın|onaylandı|onaylıyorum|onaylıyoruz|onaylamak|onaylanmıştır|onaylı|onay verildi
        |onay veriyorum
        |kabul|kabul et|kabul edildi|kabul ediyorum|kabul edilmiştir|uygundur|uygun|izin verildi|izin veriyorum|tamam
        |olur""",
    "Swedish": """
        ja|godkänd|godkänt|godkänner|godkänn|godkänna|godkännes|godkänns|jag godkänner|jag godkänner det|beviljad
        |beviljat
        |beviljas|beviljar|jag beviljar|accepterat|accepteras|accepterar|jag accepterar|tillåtet|tillåts|bifall
        |bifalles
        |okej|jag håller med""",
    "Japanese": """
        はい|承認|承認する|承認します|承認しました|承認致します|承認いたします|承認いたしました|承認です|承認済み
        |承認済
        |許可|許可する|許可します|許可しました|許可いたします|許可致します|同意|同意する|同意します|同意いたします
        |了承
        |了承します|了承しました|了承いたします|了承いたしました|可|オーケー|はい承認|はい承認します""",
    "Chinese": """
        是|是的|好|好的|行|可以|同意|我同意|批准|我批准|已批准|予以批准|批准了|核准|已核准|准许|准許|允许|允許|许可
        |許可
        |通过|通過|已通过|审批通过|審批通過|已同意""",
}

REJECT: dict[str, str] = {
    "English": """
        reject|rejected|no|nope|deny|denied|decline|declined|refuse|refused|i reject|i rejected|i deny|i decline
        |i refuse
        |i reject it|i reject this|i reject this request|i reject the request|i hereby reject|reject it|reject this
        |reject this request|reject the request|reject request|deny it|deny this|request rejected|request denied
        |this is rejected|it is rejected|access denied|permission denied|approval denied|no i reject""",
    "German": """
        nein|abgelehnt|ablehnen|lehne ab|ich lehne ab|ich lehne das ab|ich lehne es ab|wird abgelehnt|ist abgelehnt
        |anfrage abgelehnt|antrag abgelehnt|hiermit abgelehnt|verweigert|verweigere|ich verweigere|zurückgewiesen
        |zurückweisen|verboten|untersagt""",
    "French": """
        non|refusé|refusée|refuser|refuse|je refuse|demande refusée|rejeté|rejetée|rejet|refus|rejeter|rejette
        |je rejette
        |demande rejetée|décliné|déclinée|je décline|interdit""",
    "Spanish": """
        no|rechazado|rechazada|rechazar|rechazo|lo rechazo|yo rechazo|solicitud rechazada|denegado|denegada|denegar
        |deniego|lo deniego|negado|negada|declinado|me niego""",
    "Portuguese": """
        não|rejeitado|rejeitada|rejeitar|rejeito|eu rejeito|pedido rejeitado|solicitação rejeitada|recusado|recusada
        |recusar|recuso|eu recuso|reprovado|reprovada|reprovo|negado|negada|nego|indeferido|indeferida""",
    "Italian": """
        no|rifiutato|rifiutata|rifiutare|rifiuto|lo rifiuto|io rifiuto|richiesta rifiutata|respinto|respinta
        |respingere
        |respingo|negato|negata|nego|declinato|richiesta respinta""",
    "Dutch": """
        nee|neen|afgewezen|afwijzen|wijs af|ik wijs af|ik wijs het af|afgekeurd|afkeuren|ik keur af|geweigerd|weigeren
        |ik weiger|verworpen|aanvraag afgewezen""",
    "Polish": """
        nie|odrzucam|odrzucone|odrzucono|odrzucony|odrzucona|odrzuć|odrzucić|odmawiam|odmowa|odmówiono|odmówione
        |sprzeciw
        |wniosek odrzucony""",
    "Turkish": """
        hayır|red|ret|reddet|reddedin|reddedildi|reddediyorum|reddediyoruz|reddetmek|reddedilmiştir|reddettim""",
    "Swedish": """
        nej|avslag|avslå|avslås|avslår|avslagen|avslaget|jag avslår|avvisa|avvisad|avvisat|avvisas|avvisar|jag avvisar
        |avböj|avböjer|jag avböjer|neka|nekad|nekat|nekas|nekar|jag nekar|underkänd|underkänt|underkänns""",
    "Japanese": """
        いいえ|いえ|却下|却下する|却下します|却下しました|却下いたします|却下致します|却下です|拒否|拒否する
        |拒否します
        |拒否しました|拒否いたします|否認|否認する|否認します|否認しました|否決|棄却""",
    "Chinese": """
        否|不|拒绝|拒絕|我拒绝|我拒絕|已拒绝|已拒絕|驳回|駁回|已驳回|已駁回|予以驳回|否决|否決|已否决""",
}

GREETINGS = """
    hi|hello|hey|dear|hi there|hello there|hi all|hello all|hi team|hello team|hi everyone
    |hello everyone|dear sir or madam|bonjour à tous|bonjour à toutes|salut à tous|hola a todos|olá a todos|ciao a tutti
    |hallo zusammen|hallo allemaal|hej alla|herkese merhaba|good morning|good afternoon
    |good evening
    |greetings|hallo|guten tag|guten morgen|guten abend|moin|servus|grüß gott|liebe|lieber
    |sehr geehrte damen und herren
    |bonjour|bonsoir|salut|hola|buenos días|buenas tardes|buenas noches|buenas|olá|oi|bom dia|boa tarde|boa noite
    |ciao|buongiorno|buonasera|salve|hoi|goedemorgen|goedemiddag|goedenavond|goedendag|beste|cześć|dzień dobry
    |dobry wieczór|witam|merhaba|selam|günaydın|iyi günler|iyi akşamlar|hej|hejsan|god morgon|god dag|god eftermiddag
    |お疲れ様です|お疲れさまです|お世話になっております|お世話になります|こんにちは|おはようございます
    |你好|您好|早上好|下午好|大家好"""

COURTESIES = """
    thanks|thank you|many thanks|thanks a lot|thank you very much|thx|cheers|danke|vielen dank|danke schön
    |dankeschön|merci|merci beaucoup|merci bien|gracias|muchas gracias|obrigado
    |obrigada
    |muito obrigado|muito obrigada|grazie|grazie mille|bedankt|dank je|dank u
    |dank je wel|alvast bedankt
    |dziękuję|dzięki|teşekkürler|teşekkür ederim|sağ olun|tack|tack så mycket
    |ありがとう|ありがとうございます|よろしくお願いします|よろしくお願いいたします|宜しくお願いします
    |宜しくお願い致します|谢谢|謝謝|多谢|多謝|感谢|感謝"""

# Behind an answer these are polite; before it they ask somebody else for one ("Please approve").
REQUESTS = """
    please|bitte|s'il vous plaît|s'il te plaît|por favor|per favore|prego|alstublieft|alsjeblieft|proszę|lütfen
    |rica ederim"""

# What ends a letter: a name follows, and a signature.
CLOSINGS = """
    regards|best regards|kind regards|warm regards|many thanks and regards|thanks and regards|best|best wishes
    |sincerely
    |yours sincerely|gruß|grüße|viele grüße|liebe grüße|beste grüße|schöne grüße|mit freundlichen grüßen
    |mit freundlichem gruß|freundliche grüße
    |lg|vg|mfg|bg|cordialement|bien cordialement|bien à vous|salutations
    |saludos|saludos cordiales|un saludo|atentamente|abraços|atenciosamente|cumprimentos|saluti|cordiali saluti
    |distinti saluti|groet|groeten|met vriendelijke groet|met vriendelijke groeten|mvg|vriendelijke groet|pozdrawiam
    |z poważaniem|saygılar|saygılarımla|iyi çalışmalar|mvh|hälsningar|vänliga hälsningar|med vänliga hälsningar
    |med vänlig hälsning|敬具|此致|祝好"""

# Words that turn, limit or doubt an answer: none of them is ever taken for a name.
TURNS = """
    not|no|nor|never|none|nobody|nothing|neither|non|without|dont|don't|do|does|doesn't|didn't|cannot|can't|cant
    |won't|wont|isn't
    |aint|ain't|wouldn't|shouldn't|but|if|unless|until|except|only|maybe|perhaps|almost|partly|partially|conditionally
    |pending|kidding|joking|jk|psych|hardly|barely|nah|nay|un|dis|anti|i|you|we|he|she|they|it|who|what|why|when
    |will|would
    |should|could|may|might|can|must|was|were|is|are|be|been|has|have|had|to|by|for|after|before|later|wait|hold|stop
    |cancel|undo|against|against it|refusal|false|wrong|doubt|think|sarcasm|sarcastic|lol|anyway|nichts
    |nicht|kein|keine|keinen|keiner|keinesfalls|nie|niemals|niemand|nur|aber|falls|wenn|außer|vielleicht|fast|noch
    |pas|point|jamais|rien|aucun|aucune|personne|sauf|si|mais|peut-être|seulement|presque
    |nunca|jamás|nadie|nada|ningún|ninguno|ninguna|tampoco|pero|salvo|excepto|quizás|casi|solo|sólo|sin
    |não|nem|ninguém|mas|exceto|talvez|quase|apenas|somente|sem
    |mai|niente|nessuno|nessuna|ma|se|forse|tranne|eccetto|soltanto|senza|né
    |niet|nooit|niemand|niets|geen|maar|tenzij|misschien|bijna|alleen|behalve|zonder
    |nigdy|nikt|nic|żaden|żadna|ale|jeśli|jeżeli|chyba|może|prawie|tylko|oprócz|bez|ani
    |değil|asla|hiç|hiçbir|yok|ama|fakat|eğer|belki|sadece|hariç|olmaz
    |inte|aldrig|ingen|inget|inga|ej|icke|men|om|kanske|nästan|bara|utan|förutom
    |ない|ません|不|没|沒|非|未|勿|别|別|莫|無|无"""

NEGATIONS = """
    not|don't|didn't|doesn't|won't|can't|cannot|never|nicht|kein|keine|niemals|pas|jamais|nunca|tampoco|jamás|nem|niet
    |geen|nooit|nigdy|değil|asla|hayir|inte|aldrig|ej|without|unless|but"""
