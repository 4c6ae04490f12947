"""The words that answer, by language. Data only; `grammar` reads it.

A phrase is here when, standing alone below "may alice connect?", it can mean nothing else in its language. What says no
to a yes ("not approved", "nicht genehmigt", "不同意") is left out on purpose: it decides nothing, and its sender gets
the help mail. Accents and case are folded before comparing, so each word is written once, as its language writes it.
`{a/b}` stands for either, so `{/x }` for x or nothing.
"""

APPROVE: dict[str, str] = {
    "English": """
        approve|approved|yes|yep|yup|yeah|yea|aye|affirmative|ok|okay|okey|agree|agreed|accept|accepted|allow
        |allowed|grant|granted|permit|permitted|authorize|authorized|authorise|authorised|confirm|confirmed|proceed
        |{/please }go ahead|please proceed|sure thing|{it's/it is/this is/that's/that is} {ok/okay/fine/approved}
        |alright|all right|yes indeed|happy to approve|go for it|lgtm|fine|sure|of course|absolutely|certainly
        |definitely|by all means|{looks/sounds/all} good|{looks/sounds} good to me|good to go|ok with me
        |{/it's }fine with me|works for me|you have my approval
        |i {/hereby }{approve/accept/agree/authorize/authorise/allow/permit/confirm/consent}|i {/have }approved
        |i {do/fully} approve|i approve of {it/this}
        |i {/hereby }{approve/accept/authorize/authorise/allow/grant/permit} {it/this/that}
        |i {/hereby }{approve/accept/authorize/authorise/allow/grant/permit} {the/this/your} {request/connection/access}
        |approve request|{this/it} {is/has been} {approved/granted/accepted/allowed/authorized/authorised/permitted}
        |{/the /this /your }{request/connection/access} {/is /has been }{approved/granted/accepted/allowed/authorized}
        |{/the /this /your }{request/connection/access} {/is /has been }{authorised/permitted}
        |{approval/permission} {/is }granted|you {may/can} {connect/proceed}""",
    "German": """
        ja|jawohl|jep|gerne|na klar|natürlich|selbstverständlich|klar|genehmigt|genehmige|genehmigen|ich genehmige
        |ich genehmige hiermit|hiermit genehmige ich
        |hiermit genehmige ich {die anfrage/den antrag/den zugriff/die verbindung}|genehmige ich
        |{/ist /wird /wurde /hiermit }{genehmigt/freigegeben/bewilligt/erlaubt/akzeptiert/bestätigt}
        |ich {genehmige/erlaube/bewillige/akzeptiere/bestätige} {das/es/dies}
        |ich {genehmige/erlaube/bewillige/akzeptiere} {die/diese} {anfrage/verbindung}
        |ich {genehmige/erlaube/bewillige/akzeptiere} den {antrag/zugriff/zugang}
        |{/die /diese }{anfrage/verbindung} {/ist /wird /wurde /hiermit }{genehmigt/freigegeben/bewilligt/erlaubt}
        |{/der /dieser }{antrag/zugriff/zugang} {/ist /wird /wurde /hiermit }{genehmigt/freigegeben/bewilligt/erlaubt}
        |{genehmigung/freigabe/erlaubnis/zustimmung} erteilt|freigeben|{ich gebe/gebe ich/gebe} frei|gebe ich frei
        |zugestimmt|zustimmen|{/ich }stimme zu|stimme ich zu|{/ich bin /bin }einverstanden|akzeptiere|ich akzeptiere
        |ich bestätige|ich erlaube|{/geht /ist /alles }in ordnung|angenommen|geht klar|passt|passt so|okay""",
    "French": """
        oui|bien sûr|tout à fait|absolument|certainement|approuvé|approuvée|approuver|approuve|j'approuve
        |je l'approuve|accepté|acceptée|accepter|j'accepte|accordé|accordée|autorisé|autorisée|autoriser|j'autorise
        |validé|validée|valider|je valide|confirmé|confirmée|je confirme|{/je suis }d'accord|accord
        |{/je donne mon }accord|accord donné
        |{j'approuve/j'accepte/j'autorise/je valide} {la/cette} {demande/connexion}
        |{j'approuve/j'accepte/j'autorise/je valide} {l'accès/cet accès}
        |{/la /cette /votre }{demande/connexion} {/est }{approuvée/acceptée/accordée/autorisée/validée}
        |{accès/l'accès} {/est }{approuvé/accepté/accordé/autorisé/validé}
        |c'est {approuvé/accepté/accordé/autorisé/validé/bon/d'accord}|bon pour accord|avis favorable|ça marche
        |allez-y|vas-y|c'est ok|ouais""",
    "Spanish": """
        sí|claro|claro que sí|por supuesto|desde luego|adelante|aprobado|aprobada|aprobar|apruebo|lo apruebo
        |yo apruebo|aceptado|aceptada|aceptar|acepto|lo acepto|autorizado|autorizada|autorizar|autorizo|lo autorizo
        |concedido|concedida|permitido|permitida|confirmado|confirmada|confirmo|{/estoy }de acuerdo|conforme|vale
        |{apruebo/acepto/autorizo} {la/esta} {solicitud/petición/conexión}
        |{apruebo/acepto/autorizo} {el/este} acceso
        |{/la /esta }{solicitud/petición/conexión} {/está /queda /es }{aprobada/aceptada/autorizada/concedida}
        |{/el /este }acceso {/está /queda /es }{aprobado/aceptado/autorizado/concedido/permitido}
        |{está/queda} {aprobado/aprobada/aceptado/aceptada/autorizado/autorizada/concedido/permitido}""",
    "Portuguese": """
        sim|claro|claro que sim|com certeza|tudo bem|aprovado|aprovada|aprovar|aprovo|eu aprovo|aceito|aceite
        |aceitar|autorizado|autorizada|autorizar|autorizo|eu autorizo|concedido|concedida|permitido|permitida
        |liberado|liberada|confirmado|confirmada|confirmo|{/estou }de acordo|concordo|deferido|deferida
        |pode prosseguir|{aprovo/autorizo/aceito} {o/este} {pedido/acesso}
        |{aprovo/autorizo/aceito} {a/esta} {solicitação/conexão/ligação}
        |{/o /este }{pedido/acesso} {/está /foi }{aprovado/aceito/aceite/autorizado/concedido/liberado/permitido}
        |{/a /esta }{solicitação/conexão/ligação} {/está /foi }{aprovada/aceita/aceite/autorizada/concedida/liberada}
        |está {aprovado/aprovada/autorizado/autorizada/liberado/liberada}""",
    "Italian": """
        sì|si'|certo|certamente|senz'altro|nulla osta|{procedi/proceda/procedete} pure|approvato|approvata|approvare
        |approvo|lo approvo|io approvo|accettato|accettata|accettare|accetto|autorizzato|autorizzata|autorizzare
        |autorizzo|concesso|concessa|consentito|consentita|acconsento|confermato|confermata|confermo
        |{/sono }d'accordo|va {bene/benissimo}|concordo
        |{approvo/accetto/autorizzo} {la/questa} {richiesta/connessione}|{approvo/accetto/autorizzo} l'accesso
        |{/la /questa }{richiesta/connessione} {/è /e' }{approvata/accettata/autorizzata/concessa/consentita}
        |{accesso/l'accesso} {/è /e' }{approvato/accettato/autorizzato/concesso/consentito}
        |è {approvato/approvata/accettato/accettata/autorizzato/autorizzata}""",
    "Dutch": """
        ja|natuurlijk|uiteraard|zeker|prima|goedgekeurd|goedkeuren|keur goed|ik keur {/het /dit /dat }goed
        |ik keur {de/deze} {aanvraag/verbinding} goed|ik keur {het/dit} verzoek goed|ik keur de toegang goed
        |{/de /deze }{aanvraag/verbinding/toegang} {/is /wordt }{goedgekeurd/toegestaan/verleend/geaccepteerd}
        |{/het /dit }verzoek {/is /wordt }{goedgekeurd/toegestaan/geaccepteerd}|is {goed/goedgekeurd/akkoord}
        |{/bij deze }{akkoord/goedgekeurd}|{/ik }ga akkoord|ik ben akkoord|{/ik ben het er }mee eens|toegestaan
        |toestaan|geaccepteerd|accepteren|ik accepteer|verleend|bevestigd|ik bevestig|in orde|jazeker
        |ja {hoor/graag}|toestemming verleend|toegekend|ik ga hiermee akkoord|oké|ga {uw/je} gang""",
    "Polish": """
        tak|oczywiście|jasne|zatwierdzam|zatwierdzone|zatwierdzono|zatwierdzony|zatwierdzona|zatwierdzić
        |zatwierdziłem|zatwierdziłam|akceptuję|zaakceptowane|zaakceptowano|zaakceptowany|zaakceptowana|zaakceptować
        |zaakceptowałem|zaakceptowałam|akceptacja|zgoda|dobrze|w porządku|zgadzam się|wyrażam zgodę|aprobuję
        |zaaprobowano|zezwalam|pozwalam|dozwolone|przyznane|potwierdzam|potwierdzone
        |{zatwierdzam/akceptuję} {/ten }{wniosek/dostęp}|{zatwierdzam/akceptuję} {to/połączenie/prośbę}
        |wniosek {zatwierdzony/zaakceptowany}|{dostęp/wniosek} {/został }{zatwierdzony/zaakceptowany/przyznany}
        |udzielam {zgody/dostępu}""",
    "Turkish": """
        evet|tabii|tabi|elbette|onay|onaylandı|onayladım|onayladık|onaylıyorum|onaylıyoruz|onaylamak|onaylanmıştır
        |onaylı|onay verildi|onay veriyorum|onay verdim|onayımdır|kabul|kabul edildi|kabul ediyorum|kabul ediyoruz
        |kabul ettim|kabul edilmiştir|uygundur|uygun|izin verildi|izin veriyorum|izin verdim|tamam|tamamdır|olur
        |{talebi/isteği/bağlantıyı/erişimi/bunu} {onaylıyorum/onayladım/kabul ediyorum}
        |{talep/istek/bağlantı/erişim} {onaylandı/kabul edildi}""",
    "Swedish": """
        ja|javisst|självklart|absolut|godkänd|godkänt|godkänner|godkänna|godkännes|godkänns|jag godkänner
        |jag godkänner {det/detta/begäran/anslutningen/åtkomsten}|beviljad|beviljat|beviljas|beviljar|jag beviljar
        |{/det }är godkänt|{begäran/anslutningen/åtkomsten/åtkomst/anslutning} {/är }{godkänd/beviljad/tillåten}
        |accepterat|accepteras|accepterar|jag accepterar|tillåtet|tillåts|bifall|bifalles|bekräftas|bekräftar|okej
        |{/det }går bra|{/det }är ok|jag håller med|kör på""",
    "Japanese": """
        はい|ええ|{承認/許可/同意/了承/賛成/承諾}{/する/します/しました/いたします/致します/いたしました/致しました}
        |{承認/許可/同意/了承/賛成/承諾}{です/済/済み/済です/済みです/させていただきます/させて頂きます/とします}
        |はい{承認/許可/同意/了承}{/します/しました/いたします/致します}|はい{/、}okです|okです|okします|可|オーケー
        |オーケーです|もちろんです""",
    "Chinese": """
        是|是的|好|好的|行|可以|准|可
        |{/我/本人/已/已经/已經/予以/完全}{同意/批准/核准/准许/准許/允许/允許/许可/許可/赞成/贊成/准予}
        |{/我/本人}{同意/批准/核准/准许/准許/允许/允許/许可/許可}{了/申请/申請/该申请/該申請/此申请/此申請/这个申请/這個申請}
        |{/已/予以/审批/審批/审核/審核}{通过/通過}|当然可以|當然可以|没有异议我同意""",
}

REJECT: dict[str, str] = {
    "English": """
        reject|rejected|no|nope|disallow|disallowed|deny|denied|decline|declined|refuse|refused|veto|vetoed
        |i {/hereby }{reject/deny/decline/refuse}|i {/have }{rejected/denied/declined/refused}
        |i {/hereby }{reject/deny/decline/refuse} {it/this/that}
        |i {/hereby }{reject/deny/decline/refuse} {the/this/your} {request/connection/access}|reject request
        |{this/it} {is/has been} {rejected/denied/declined/refused}|no i reject
        |{/the /this /your }{request/connection/access} {/is /has been }{rejected/denied/declined/refused}
        |{approval/permission} {/is }{denied/refused}""",
    "German": """
        nein|nee|nö|abgelehnt|ablehnen|ablehnung|lehne ab|lehne ich ab|verweigert|verweigere|ich verweigere
        |{/ist /wird /wurde /hiermit }{abgelehnt/verweigert/zurückgewiesen/verboten/untersagt}|zurückweisen
        |ich lehne {/das /es /dies /die anfrage /diese anfrage /die verbindung }ab
        |ich lehne {den antrag /diesen antrag /den zugriff /den zugang }ab
        |{/die /diese }{anfrage/verbindung} {/ist /wird /wurde /hiermit }{abgelehnt/verweigert/zurückgewiesen}
        |{/der /dieser }{antrag/zugriff/zugang} {/ist /wird /wurde /hiermit }{abgelehnt/verweigert/zurückgewiesen}""",
    "French": """
        non|c'est non|refusé|refusée|refuser|refuse|refus|rejeté|rejetée|rejet|rejeter|rejette|décliné|déclinée
        |interdit|je {refuse/rejette/décline}|je {refuse/rejette/décline} {la/cette} {demande/connexion}
        |je {refuse/rejette} l'accès|{/la /cette }{demande/connexion} {/est }{refusée/rejetée/déclinée}
        |{accès/l'accès} {/est }{refusé/rejeté}|c'est {refusé/rejeté}|avis défavorable""",
    "Spanish": """
        no|rechazado|rechazada|rechazar|rechazo|lo rechazo|yo rechazo|denegado|denegada|denegar|deniego|lo deniego
        |negado|negada|declinado|me niego|{rechazo/deniego} {la/esta} {solicitud/petición/conexión}
        |{rechazo/deniego} {el/este} acceso|{está/queda} {rechazado/rechazada/denegado/denegada}
        |{/la /esta }{solicitud/petición/conexión} {/está /queda /es }{rechazada/denegada}
        |{/el /este }acceso {/está /queda /es }{rechazado/denegado}""",
    "Portuguese": """
        não|rejeitado|rejeitada|rejeitar|rejeito|eu rejeito|recusado|recusada|recusar|recuso|eu recuso|reprovado
        |reprovada|reprovo|negado|negada|nego|indeferido|indeferida|{rejeito/recuso/nego} {o/este} {pedido/acesso}
        |{rejeito/recuso/nego} {a/esta} {solicitação/conexão/ligação}
        |{/o /este }{pedido/acesso} {/está /foi }{rejeitado/recusado/negado/reprovado}
        |{/a /esta }{solicitação/conexão/ligação} {/está /foi }{rejeitada/recusada/negada/reprovada}""",
    "Italian": """
        no|rifiutato|rifiutata|rifiutare|rifiuto|lo rifiuto|io rifiuto|respinto|respinta|respingere|respingo|negato
        |negata|nego|declinato|{rifiuto/respingo} {la/questa} {richiesta/connessione}|{rifiuto/nego} l'accesso
        |{/la /questa }{richiesta/connessione} {/è /e' }{rifiutata/respinta/negata}
        |{accesso/l'accesso} {/è /e' }{rifiutato/negato/respinto}""",
    "Dutch": """
        nee|neen|afgewezen|afwijzen|wijs af|ik wijs {/het /dit /de aanvraag /het verzoek }af|afgekeurd|afkeuren
        |ik keur {/het /dit }af|geweigerd|weigeren|ik weiger|verworpen
        |{/de /deze }{aanvraag/verbinding/toegang} {/is /wordt }{afgewezen/geweigerd/afgekeurd}
        |{/het /dit }verzoek {/is /wordt }{afgewezen/geweigerd/afgekeurd}""",
    "Polish": """
        nie|odrzucam|odrzucone|odrzucono|odrzucony|odrzucona|odrzucić|odrzuciłem|odrzuciłam|odmawiam|odmowa
        |odmówiono|odmówione|sprzeciw|{wniosek/dostęp} {/został }odrzucony|odrzucam {wniosek/prośbę/to}""",
    "Turkish": """
        hayır|red|ret|reddedildi|reddediyorum|reddediyoruz|reddetmek|reddedilmiştir|reddettim
        |{talebi/isteği/bağlantıyı/erişimi/bunu} reddediyorum|{talep/istek/bağlantı/erişim} reddedildi""",
    "Swedish": """
        nej|avslag|avslås|avslår|avslagen|avslaget|jag avslår|avvisad|avvisat|avvisas|avvisar|jag avvisar|avböj
        |avböjer|jag avböjer|nekad|nekat|nekas|nekar|jag nekar|underkänd|underkänt|underkänns
        |{begäran/anslutningen/åtkomsten/åtkomst/anslutning} {/är }{avslagen/nekad/avvisad}""",
    "Japanese": """
        いいえ|いえ
        |{却下/拒否/否認/否決/棄却}{/する/します/しました/いたします/致します/いたしました/致しました/です}
        |{却下/拒否/否認/否決/棄却}{とします/させていただきます/させて頂きます}""",
    "Chinese": """
        否|不|{/我/本人/已/已经/已經/予以}{拒绝/拒絕/驳回/駁回/否决/否決/反对/反對/禁止}
        |{/我/本人}{拒绝/拒絕/驳回/駁回}{了/申请/申請/该申请/該申請/此申请/此申請}""",
}

# The same, said as one says it to somebody else, too. Alone these answer; behind a name or beside a "please" they are
# an order to another person ("Carol, approve this request").
APPROVE_ORDERS = """
    {approve/grant/allow/permit} {access/connection}
    |{approve/accept/allow/grant/permit/authorize/authorise} {it/this/that}
    |{approve/accept/allow/grant/permit/authorize/authorise} {the/this} {request/connection/access}|apruébalo
    |zatwierdź|zaakceptuj|onayla|kabul et|godkänn"""
REJECT_ORDERS = """
    {reject/deny/decline/refuse} {it/this/that}|{reject/deny/decline/refuse} {the/this} {request/connection/access}
    |odrzuć|reddet|avslå|avvisa|neka"""
# As one asks somebody else for it, with a "please" and a name ("Hallo Alice, freigeben bitte").
BARE_VERBS = """
    approve|accept|allow|grant|permit|authorize|authorise|confirm|reject|deny|decline|refuse|genehmigen|freigeben
    |zustimmen|ablehnen|zurückweisen|approuver|accepter|autoriser|valider|refuser|rejeter|aprobar|aceptar|autorizar
    |rechazar|denegar|aprovar|aceitar|rejeitar|recusar|approvare|accettare|autorizzare|rifiutare|respingere
    |goedkeuren|accepteren|toestaan|afwijzen|afkeuren|weigeren|zatwierdzić|zaakceptować|odrzucić|onay|onaylamak|ret
    |red|reddetmek|godkänna|承認|許可|却下|同意|批准|拒绝"""
# Yes in every language of the tables.
NEUTRAL = "ok|okay|okey|okej"
# Without an accent the first is "if" in two languages, and the second begins "as approved": each counts alone only.
NEVER_JOINED = "si|conforme"
