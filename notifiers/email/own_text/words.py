"""How mail clients introduce what they quote, forward and sign, by language. Data only."""

from notifiers.email.folding import phrases

# "-----Original Message-----" and its like: what follows is quoted.
ORIGINAL = phrases("""
    original message|original appointment|original e-mail|originalnachricht|ursprüngliche nachricht|originaltext
    |original-nachricht|message d'origine|message original|message initial|message précédent|mensaje original
    |mensagem original|messaggio originale|original-mail|oorspronkelijk bericht|origineel bericht
    |wiadomość oryginalna|oryginalna wiadomość|wiadomość źródłowa|özgün ileti|orijinal mesaj|orijinal ileti|asıl mesaj
    |ursprungligt meddelande|originalmeddelande|元のメッセージ|original mail|原始邮件|原始郵件|原邮件|原始信件
    |reply message|回复邮件|回复的原邮件|邮件原件|quoted text|zitierter text""")

# What follows is handed on.
FORWARDED = phrases("""
    forwarded message|begin forwarded message|forwarded mail|forwarded by|start of forwarded message
    |weitergeleitete nachricht
    |anfang der weitergeleiteten|weitergeleitet von|message transféré|début du message transféré
    |début du message réexpédié
    |mensaje reenviado|inicio del mensaje reenviado|mensagem reencaminhada|mensagem encaminhada
    |início da mensagem encaminhada|início da mensagem reencaminhada|messaggio inoltrato|inizio messaggio inoltrato
    |doorgestuurd bericht|begin doorgestuurd bericht|wiadomość przekazana dalej|przekazana wiadomość
    |początek przekazywanej
    |przekazywana wiadomość|treść przekazanej wiadomości|iletilen mesaj|iletilmiş ileti|yönlendirilen mesaj
    |yönlendirilmiş ileti
    |başlangıcı iletilen|vidarebefordrat meddelande|vidarebefordrat brev|början på vidarebefordrat|転送メッセージ
    |転送されたメッセージ|forwarded message 転送|转发的邮件|转发邮件|轉寄的郵件|轉寄郵件|已转发的邮件|转发的信件
    |开始转发的邮件|開始轉寄郵件|開始轉寄的郵件|ileti başlangıcı""")

# A copied header block: the name of its first line, and of the others.
FROM_KEYS = frozenset(
    phrases("from|von|de|da|van|od|kimden|gönderen|från|差出人|送信者|发件人|發件人|寄件者|寄件人|从|from 差出人")
)
OTHER_KEYS = frozenset(
    phrases("""
    sent|date|to|cc|subject|reply-to|importance|gesendet|datum|an|kopie|betreff|gesendet am|envoyé|envoyé le
    |date d'envoi
    |à|objet|pour|enviado|enviado el|enviada em|enviado em|enviada|data|fecha|para|asunto|assunto|inviato
    |data invio|a|oggetto
    |per|verzonden|verzonden op|aan|onderwerp|wysłano|wysłane|do|dw|temat|gönderilme|gönderildi|gönderim tarihi
    |tarih|kime|bilgi
    |konu|skickat|skickat den|till|kopia|ämne|送信日時|日時|日付|宛先|件名|送信|发送时间|发送日期|时间|日期|收件人
    |主题|抄送
    |發送時間|寄件日期|傳送時間|收件者|主旨|日付|送信日""")
)

# How the line that introduces a quote may begin (as words of their own), and the verb it has.
INTRODUCTION_OPENINGS = phrases("""
    on|am|le|el|em|no dia|il|il giorno|op|w dniu|dnia|wiadomość napisana przez|den|kl|at|mon|tue|wed|thu|fri|sat|sun
    |lun|mar|mié|mer|jeu|jue|vie
    |ven|sáb|sam|dom|dim|seg|ter|qua|qui|sex|gio|mo.|di.|mi.|do.|fr.|sa.|so.|ma|pon|wt|śr|czw|pią|sob|nie|pzt|sal
    |çar|per|cum|cmt
    |paz|mån|tis|ons|tor|fre|lör|sön|monday|tuesday|wednesday|thursday|friday|saturday|sunday|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|maandag|dinsdag
    |woensdag
    |donderdag|vrijdag|zaterdag|zondag|在|于|於|from|von|quoting|citat|"|'|<|countersign""")
WROTE = phrases("""
    wrote|writes|schrieb|schreibt|geschrieben|a écrit|écrit|escribió|escribe|escreveu|ha scritto|scrisse|scritto
    |schreef
    |geschreven|napisał|napisał(a)|pisze|napisała|napisano|napisana przez|şunu yazdı|şunları yazdı|yazdı|yazmış|skrev
    |skriver|のメール
    |書きました
    |写道|寫道|寫到|写到""")

# What a line says that a phone or a mail program wrote; below it nothing is a comment any more.
PHONE_SIGNATURES = phrases("""
    sent from my |sent from mail for|sent from outlook|sent from yahoo|sent from proton|sent via |sent with proton
    |sent from the |get outlook for|von meinem iphone|von meinem ipad|von meinem smartphone|von meinem handy
    |von meinem android|gesendet mit |gesendet von |outlook für |envoyé de mon|envoyé depuis|envoyé à partir de
    |obtenir outlook|télécharger outlook|enviado desde mi|enviado desde |obtener outlook|enviado do meu
    |enviado a partir do
    |enviado pelo|enviado de |obter o outlook|inviato da|scarica outlook|ottieni outlook|verzonden vanaf mijn
    |verstuurd vanaf mijn|verzonden met|download outlook|outlook voor |wysłane z |wysłano z |pobierz outlook
    |iphone'umdan gönderildi|iphone’umdan gönderildi|ipad'imden gönderildi|android'imden gönderildi|outlook'u edinin
    |skickat från min|skickades från|skickat från |hämta outlook|iphoneから送信|androidから送信|私のiphoneから
    |iphoneより送信
    |从我的|从我的 iphone 发送|发自我的|發自我的|傳送自我的|從我的 iphone|從我的 ipad
    |sent from spark|sent from gmail mobile
    |von meinem galaxy|von meiner galaxy|sendt fra min |sendt fra |lähetetty iphone|lähetetty ipad|lähetetty minun
    |odesláno z |odoslané z |отправлено с |отправлено из |надіслано з |στάλθηκε από το |أرسلت من |נשלח מה|ส่งจาก
    |đã gửi từ |trimis de pe |hent outlook|hae outlook|získat outlook|získajte outlook|скачать outlook
    |скачайте outlook|отримати outlook|下载 outlook|获取 outlook|取得 outlook|outlook for ios|outlook for android""")
# The same where the verb comes last; with a device before it.
PHONE_SIGNATURE_ENDS = phrases("gesendet|küldve|gönderildi|보냄|에서 보냄|送信|傳送|发送")
DEVICES = phrases("iphone|ipad|galaxy|android|samsung|huawei|xiaomi|smartphone")
