"""What may stand beside an answer, by language, and what turns it. Data only, written as in `words`."""

GREETINGS = """
    hi|hello|hey|dear|good day|{hi/hello/hey} {there/all/team/everyone/everybody/both/folks}
    |dear {all/team/colleagues}|dear sir or madam|good {morning/afternoon/evening}|greetings|hallo
    |guten {tag/morgen/abend}|moin|servus|grüß gott|grüezi|liebe|lieber|hallo zusammen
    |liebe kolleginnen und kollegen|sehr geehrte damen und herren|sehr {geehrte/geehrter}|bonjour|bonsoir|salut|cher
    |chère|bonjour à {tous/toutes}|salut à tous|madame, monsieur|hola|hola a todos|buenos días|buen día
    |buenas {tardes/noches}|buenas|estimado|estimada|estimados|estimadas|querido|querida|olá|olá a todos|oi|bom dia
    |boa {tarde/noite}|prezado|prezada|prezados|prezadas|caro|cara|cari|caros|ciao|ciao a tutti|buongiorno
    |buon {giorno/pomeriggio}|{gentili/cari} colleghi|buonasera|salve|gentile|egregio|hoi|goedemorgen|goeiemorgen
    |goedemiddag|goedenavond|goedendag|dag|beste|geachte|hallo allemaal|cześć|dzień dobry|dobry wieczór|witam|witaj
    |szanowny panie|szanowna pani|szanowni państwo|panie|pani|sevgili|merhaba|merhabalar|selam|selamlar|günaydın
    |iyi {günler/akşamlar/çalışmalar}|herkese merhaba|sayın|sn|hej|hej alla|hejsan|hallå|tjena|bästa|god morgon
    |god dag|god eftermiddag|{お疲れ様/お疲れさま/おつかれさま}{です/でございます/でした}|お世話になっております
    |お世話になります|こんにちは|おはようございます|你好|您好|早上好|上午好|下午好|大家好|各位|各位好"""

COURTESIES = """
    thanks|thank you|many thanks|thanks a lot|thank you very much|thx|cheers|danke|vielen dank|danke schön
    |dankeschön|merci|merci {beaucoup/bien}|gracias|muchas gracias|obrigado|obrigada|muito {obrigado/obrigada}
    |grazie|grazie mille|bedankt|dank {je/u}|dank je wel|alvast bedankt|dank u wel|dankjewel|dankuwel|obg|tks|ty
    |dziękuję|dzięki|teşekkürler|teşekkür ederim|sağ olun|tack|tack så mycket|ありがとう|ありがとうございます
    |{よろしく/宜しく}お願い{します/いたします/致します}|have a {nice/good/great} {day/weekend/evening}|have fun
    |{schönes/schönen} {wochenende/tag/abend}|bonne {journée/soirée}|bon week-end|bon weekend
    |buona {giornata/serata}|buon lavoro|fijne {dag/avond}|fijn weekend|miłego dnia|kolay gelsin|ha en bra dag
    |trevlig helg|谢谢|謝謝|多谢|多謝|感谢|感謝"""

# Behind an answer these are polite; before it they ask somebody else for one ("Please approve").
REQUESTS = """
    please|bitte|s'il vous plaît|s'il te plaît|svp|stp|por favor|per favore|prego|alstublieft|alsjeblieft|proszę
    |lütfen"""

# Whose answer it is: beside an answer these say no more than the From does. By anybody else it is hearsay.
OWN = """
    {by/for/from} me|{from/on} my {side/end}|pour ma part|für mich|von mir|meinerseits|von meiner seite|von mir aus
    |{pour/par} moi|de ma part|de mon côté|{por/para} mí|{de/por} mi parte|{por/para} mim|{da/de} minha parte|per me
    |da parte mia|{voor/van/door} mij|wat mij betreft|{dla/ode} mnie|z mojej strony|benim için|benden
    |{för/från/av} mig|för min del"""

# Regret goes with a no, and with nothing else.
REGRETS = """
    sorry|{/i am /i'm }sorry|unfortunately|apologies|my apologies|i'm afraid|leider|tut mir leid|es tut mir leid
    |désolé|désolée|{/je suis }{désolé/désolée}|malheureusement|lo siento|lo lamento|lamentablemente
    |desafortunadamente|desculpe|lamento|infelizmente|mi dispiace|spiacente|purtroppo|helaas|het spijt me|niestety
    |przykro mi|maalesef|üzgünüm|tyvärr|申し訳ありません|申し訳ございません|すみません|抱歉|很抱歉|对不起|對不起"""

# What ends a letter: a name follows, and a signature.
CLOSINGS = """
    regards|{best/kind/warm} regards|many thanks and regards|thanks and regards|best|best wishes|sincerely
    |yours sincerely|gruß|grüße|{viele/liebe/beste/schöne/freundliche} grüße|mit freundlichen grüßen
    |mit freundlichem gruß|lg|vg|mfg|bg|cordialement|cdt|cdlt|bien cordialement|bien à vous|salutations|saludos
    |saludos cordiales|un saludo|atentamente|abraço|abraços|abs|att|atenciosamente|cumprimentos|saluti
    |{cordiali/distinti} saluti|groet|groeten|groetjes|{met vriendelijke/vriendelijke} {groet/groeten}|mvg
    |pozdrawiam|z poważaniem|saygılar|saygılarımla|mvh|hälsningar|{/med }vänliga hälsningar|med vänlig hälsning|敬具
    |此致|祝好"""

# Words that turn, limit or doubt an answer: none of them is ever taken for a name.
TURNS = """
    not|no|nor|never|none|nobody|nothing|neither|non|without|dont|don't|do|does|doesn't|doesnt|didn't|didnt|cannot
    |can't|cant|won't|wont|isn't|isnt|hasn't|hasnt|haven't|havent|aint|ain't|wasn't|wasnt|aren't|arent|wouldn't
    |wouldnt|shouldn't|shouldnt|couldn't|couldnt|but|if|unless|until|except|only|maybe|perhaps|almost|partly
    |partially|conditionally|pending|kidding|joking|jk|psych|sike|hardly|barely|nah|nay|un|dis|anti|i|you|we|he|she
    |they|it|who|what|why|when|will|would|should|could|may|might|can|must|was|were|is|are|be|been|has|have|had|to|by
    |for|after|before|later|tomorrow|wait|hold|stop|ignore|cancel|undo|revoke|against|refusal|false|wrong|doubt
    |think|sarcasm|sarcastic|lol|anyway|nevermind|nvm|yet|disagree|disagreed|nichts|nicht|nix|kein|keine|keinen
    |keiner|keinem|keines|keinesfalls|nie|niemals|niemand|nur|aber|falls|wenn|außer|ohne|weder|vielleicht|fast|noch
    |warten|pas|point|jamais|rien|aucun|aucune|personne|sauf|si|mais|sans|ni|nul|nulle|guère|peut-être|seulement
    |presque|nunca|jamás|nadie|nada|ningún|ninguno|ninguna|tampoco|pero|salvo|excepto|quizás|casi|solo|sólo|sin|não
    |nem|ninguém|nenhum|nenhuma|mas|exceto|talvez|quase|apenas|somente|sem|mai|niente|nessuno|nessuna|nessun|neanche
    |nemmeno|neppure|mica|nulla|ma|se|forse|tranne|eccetto|soltanto|senza|né|niet|niks|nooit|niemand|niets|geen|maar
    |tenzij|misschien|bijna|alleen|behalve|zonder|nigdy|nikt|nic|żaden|żadna|ale|jeśli|jeżeli|chyba|może|prawie
    |tylko|oprócz|bez|ani|czekać|değil|asla|hiç|hiçbir|yok|ama|fakat|eğer|belki|sadece|hariç|olmaz|bekleyin|inte
    |aldrig|ingen|inget|inga|ej|icke|ikke|men|om|kanske|nästan|bara|utan|förutom|ない|ません|だめ|ダメ|駄目|無理|嘘"""
# These turn whatever they stand in: their languages write a whole clause as one word.
TURNING_SIGNS = "不没沒非未勿别別莫無无毋否拒请請吗嗎么呢嘛駄"
# What makes a yes a no from within, or asks, in words that are written as one.
TURNED_ENDINGS = "ない|ません|ぬ|不可|兼ねます|かねます|か"

NEGATIONS = """
    not|don't|dont|didn't|didnt|doesn't|doesnt|won't|wont|can't|cant|cannot|isn't|isnt|wasn't|wasnt|never|no|none
    |nobody|nothing|neither|nicht|kein|keine|keinen|niemals|niemand|nichts|pas|jamais|rien|aucun|nunca|tampoco|jamás
    |nadie|nem|não|ninguém|non|mai|nessuno|niet|geen|nooit|niemand|nie|nigdy|nikt|değil|asla|hayir|yok|inte|aldrig
    |ej|icke|ingen|ikke|without|unless|but"""
# Alone below an approval, these take it back.
TAKEN_BACK = """
    not|wait|no wait|not yet|not really|just kidding|doch nicht|nicht|noch nicht|warte|pas|pas encore|non|todavía no
    |aún no|ainda não|non ancora|non adesso|nog niet|toch niet|niet|jeszcze nie|henüz değil|değil|inte|inte än
    |scratch that|{i take/taking} {that/it} back|{i've changed/i changed} my mind|嘘です|待って|等等|撤回
    |i {withdraw/revoke} {my/the/this} approval|ich ziehe {die/meine} {genehmigung/zustimmung} zurück
    |je retire mon {accord/approbation}|retiro mi aprobación|ritiro l'approvazione|ik trek mijn goedkeuring in"""
# The words of second thoughts about one's own answer. A line of nothing else that holds a no takes an approval back.
AFTERTHOUGHTS = """
    do|does|did|yet|one|first|line|maar|sorry|actually|wait|hold|on|oops|i|mean|meant|to|say|said|should|have|been
    |was|is|be|read|or|and|rather|please|second|thought|thoughts|changed|my|mind|correction|edit|ps|update|better
    |just|kidding|wrong|after|all|now|so|then|instead|must|will|it|this|that|the|of|an|a|for|request|access|approval
    |doch|moment|quatsch|lieber|entschuldigung|ich|meinte|wollte|sagen|korrektur|bitte|ach|eigentlich|ist|das|muss
    |en|fait|finalement|pardon|attends|plutôt|je|voulais|dire|perdón|mejor|espera|realidad|quise|decir|quería
    |corrección|por|favor|lo|desculpe|aliás|na|verdade|quis|dizer|correção|melhor|anzi|scusa|scusate|ripensandoci
    |volevo|correzione|meglio|di|per|favore|toch|wacht|correctie|ik|bedoelde|bij|nader|inzien|liever|het|jednak
    |przepraszam|czekaj|miałem|miałam|myśli|korekta|proszę|aslında|demek|istedim|düzeltme|lütfen|bunu|förlåt|vänta
    |egentligen|jag|menade|rättelse|hellre"""
# Each takes back what it speaks of.
RETRACTIONS = (
    "cancel|revoke|withdraw|disregard|ignore|stop|undo|kidding|joking|vazgeçtim|vazgeciyorum|ritiro|retiro|intrekken"
)
AFTERTHOUGHT_SIGNS = """
    やっぱり|やはり|すみません|ごめんなさい|の間違い|間違い|訂正|でお願いします|お願いします|です|でした|更正|我是说
    |我是說|抱歉|对不起|對不起|其实|其實|还是|還是|应该|應該|是|:"""
# What begins the next line when the sentence runs on, and would have turned the answer on its own line.
RUNNING_ON = """
    if|unless|until|but|except|only|provided|as long as|once|when|after|not|pending|subject to|assuming|by|or
    |nothing|none|neither|nobody|never|wenn|falls|sofern|solange|sobald|aber|nur|außer|nicht|erst|nichts|von|si|sauf
    |mais|seulement|sous|à condition|pas|rien|par|siempre|pero|salvo|solo|sólo|cuando|nada|por|se|desde|mas|exceto
    |somente|apenas|quando|ma|tranne|purché|niente|da|als|mits|tenzij|maar|alleen|zodra|niet|niets|door|jeśli|jeżeli
    |o ile|ale|tylko|pod warunkiem|przez|eğer|ama|ancak|sadece|om|men|bara|utom|såvida|förutsatt|inget|av|vermiyorum
    |etmiyorum|edilmedi|değil|yok"""
# The same where words aren't parted: the verb of the sentence, and what a condition begins with.
RUNNING_ON_SIGNS = "しない|しません|できない|できません|ではない|ではありません|不了|吗|か"
CONDITION_SIGNS = "ただし|但|如果|除非|只有|只要|仅当|僅當|前提"
# A sentence that begins so and has no other clause is a condition of the answer above it, wherever it stands.
CONDITIONS = """
    {/but /and }{only if/unless/provided/provided that/as long as/subject to/assuming/on condition that}|if
    |only when|only after|nur wenn|nur falls|wenn|falls|sofern|vorausgesetzt|solange|es sei denn|unter der bedingung
    |si|seulement si|sauf si|à condition|sous réserve|tant que|solo si|siempre que|a menos que|salvo que|só se
    |somente se|apenas se|desde que|se|a condizione|purché|solo se|a meno che|als|alleen als|mits|tenzij
    |op voorwaarde|jeśli|jeżeli|tylko jeśli|pod warunkiem|o ile|chyba że|eğer|ancak|om|endast om|bara om|förutsatt
    |såvida"""

# Before a name, and behind one.
TITLES = """
    mr|mrs|ms|miss|dr|prof|sir|madam|herr|herrn|frau|monsieur|madame|mme|mlle|m|señor|señora|sr|sra|srta|don|doña
    |senhor|senhora|signor|signora|sig|sigra|dott|dottore|dottoressa|ing|de heer|heer|mevrouw|mevr|dhr|pan|pana
    |panie|pani|państwo|bey|hanım|beyefendi|hanımefendi|team|all|colleagues"""
HONORIFICS = """
    さん|様|さま|殿|氏|先生|部長|課長|係長|社長|主任|女士|小姐|经理|經理|总|總|老师|老師|主管|总监|總監"""
# Between two names.
AND = "and|und|et|y|e|en|i|ve|och|&"
# Given names that are other words, too: names where they are written like one, right behind a greeting.
GIVEN_NAMES = "will|may|grant|can|ma|sem"
# Of these the ones that could turn an answer on the same line, in a language of the tables.
DOUBTFUL_NAMES = "ma|sem"

# Signs that agree with a word beside them; alone they are no answer.
YES_SIGNS = "👍|👌|✅|✔|🙂|😊|😀|😃|😄|🎉|🙏|:)|:-)|^^"
NO_SIGNS = "👎|❌|🚫|⛔|✖|✗|✘|🙅"
