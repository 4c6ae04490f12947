"""What an HTML body shows, and that only text that is surely shown can approve."""

import time

import pytest

from notifiers.email import limits
from notifiers.email.html import html_text
from notifiers.email.mime.parts import Unreadable
from notifiers.email.reply import Reply, read_reply

HEAD = "From: grace@example.com\nTo: c@example.test\nSubject: Re: x\nContent-Type: text/html; charset=utf-8\n\n"


def read(html: str) -> Reply:
    return read_reply(f"{HEAD}{html}".encode())


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("a<br>b", "a\nb"),
        ("a\nb  c", "a b c"),
        ("<pre>a\n\nb</pre>", "a\n\nb"),
        ("<div style='white-space:pre-line'>a\nb</div>", "a\nb"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>c", "> a\n>> b\nc"),
        ("<ul><li>a<li>b</ul>", "* a\n* b"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a\tb"),
        ("a<hr>b", "a\n________________________________\nb"),
        ("a&amp;&#98;", "a&b"),
        ("<b>a</b><i>b</i>", "ab"),
        ("<!-- x -->a<? y ?><!DOCTYPE z>", "a"),
        ("<head><title>x</title></head><body>a</body>", "a"),
        ("<head/><body>a</body>", "a"),
        ("a</br>b</p>c", "a\nb\nc"),
        ("a < b", "a < b"),
        ("<A HREF='x'>a</A>", "a"),
        ("<div id=Signature>Grace</div>", "-- \nGrace"),
        ("<div id=divRplyFwdMsg>From</div>", "-----Original Message-----\nFrom"),
        ("<p style='display:inline'>a</p><p style='display:inline'>b</p>", "ab"),
        ("<span style='display:block'>a</span>b", "a\nb"),
        ("<img src=x style='display:none'>a", "a"),
    ],
)
def test_html_as_it_is_shown(html: str, text: str) -> None:
    assert html_text(html) == text


HIDDEN = (
    "display:none", "DISPLAY : none", "display:none!important", "display:none;color:red",
    "display:none;foo:bar", "display:none;display:none!important",
    "display:none;font-size:1px;color:#fff;line-height:1px;max-height:0px;opacity:0;overflow:hidden;mso-hide:all",
)  # fmt: skip
# What may hide text, or only seems to. Such text never approves, but still counts for a rejection and the comment.
DOUBTFUL = (
    "color:white;background:#333",
    "width:40px;overflow:hidden", "height:9px;overflow:hidden", "line-height:1px", "max-height:10px;overflow-y:hidden",
    "border-left:300px solid", "d\\69splay:none", "dis/**/play:none", "/*;display:none;*/", "x:(;display:none",
    "x:';display:none", "x:{;display:none", "x:[;display:none", "font-family:';display:none",
    "color:red}display:none", "x:a;\xa0display:none", "a:b;" * 2_000,
    "text-decoration:line-through", "opacity:0", "opacity:0%", "visibility:hidden", "visibility:collapse",
    "font-size:0", "font-size:0em", "font:0 a", "height:0;overflow:hidden", "max-height:0px;overflow-y:hidden",
    "position:absolute;left:-9999px;top:0", "float:right", "background:linear-gradient(#fff,#fff)",
    "color:lab(100% 0 0)", "color:color-mix(in srgb, white, white)", "font-size:min(0px,1em)", "foo:bar",
    "overflow-x:hidden;width:6px",
    "display:none;display:block", "display:flex", "display:inherit",
    "color:#fff", "color:white", "color:rgb(250,250,250)", "color:rgb(300,300,300)", "color:#00000008",
    "color:rgb(0 0 0 / 87%)",
    "color:rgba(0,0,0,0.01)", "color:canvas", "color:white!important;color:black", "color:transparent",
    "background:black", "background-color:#111", "background:url(x)", "background-image:url(x)",
    "background:currentColor", "color:white;background-color:black;background-color:transparent",
    "color:white;background:black;background:var(--q)", "color:white;background:black;background-clip:text",
    "color:hsl(0,0%,100%)", "opacity:.1", "opacity:calc(0)", "opacity:0;opacity:1", "opacity:0px", "font-size:-5px",
    "font-size:1px", "font-size:.1em", "font:1px Arial", "font-size:calc(1px)", "font-size:0 px",
    "line-height:0", "height:0", "width:1px", "width:5000px", "max-width:min(1px)", "text-indent:-999px",
    "text-indent:-45px", "text-indent:200%", "margin-left:-999px", "filter:blur(9px)", "clip:rect(0,0,0,0)",
    "letter-spacing:-1em", "word-spacing:-9em", "font-size-adjust:0", "color-scheme:dark",
    "-webkit-text-stroke:20px white", "list-style:'Not ' inside", "unicode-bidi:bidi-override",
    "writing-mode:vertical-rl", "zoom:0", "mso-hide:all", "visibility:var(--x)", "--x:#fff;color:var(--x)",
    "-webkit-text-fill-color:white", "text-decoration:line-through transparent",
    "text-decoration:line-through;text-decoration-color:white",
    "text-decoration:line-through;text-decoration:none", "font:.5em Arial", "font:12px/0 a", "quotes:'Not ' ''",
    "color:var(--x,white)", "--tw-x:#fff;color:var(--tw-x)", "text-decoration:underline 20px",
    "text-decoration:underline;text-underline-offset:-.5em", "outline:10px solid #fff;outline-offset:-20px",
    "block-size:0;overflow:hidden", "color:lime", "border-inline-start:300px solid", "font-size:1",
)  # fmt: skip
# What may cover or move the text above it, or has an unknown effect.
MOVING = (
    "position:fixed", "position:absolute;top:0", "position:absolute;bottom:9px",
    "position:sticky", "position:abs", "position:relative;left:99px", "position:relative;top:-20px", "margin-top:-20px",
    "margin:-1.2em 0 0", "margin-bottom:-18px", "transform:scale(0)", "clip-path:inset(1px)", "content:'x'",
    "all:unset", "display:none;all:unset", "order:2", "inset:0", "translate:0 -50px", "box-shadow:0 -20px 0 20px #fff",
    "outline:20px solid white", "-webkit-transform:scale(0)", "margin-block-start:-2em", "display:table-header-group",



)  # fmt: skip
SHOWN = (
    "", "color:red", "color:#1f497d", "color:rgb(0, 0, 0)", "color:rgba(0,0,0,.87)",
    "color:windowtext", "color:#000c", "color:var(--text)", "color:inherit", "background:white",
    "background:#fff none repeat scroll 0% 0%", "opacity:1", "background-color:transparent",
    "font-size:11.0pt", "font-size:medium", "font-size:larger", "font-size:80%",
    "font-size:1rem", "font:12px/1.5 Arial", "font:inherit", "line-height:107%", "line-height:normal",
    "line-height:1.2", "line-height:15px", "margin:0 0 0 .8ex", "margin:auto", "padding:3.0pt 0cm 0cm 0cm",
    "width:98%", "height:auto", "max-width:560px", "text-indent:-18.0pt", "mso-fareast-language:EN-US",
    "mso-hide:none", "direction:rtl", "position:relative;top:-1.0pt", "float:none", "visibility:visible",
    "visibility:inherit", "white-space:normal", "overflow:hidden", "border:none;border-top:solid #E1E1E1 1.0pt",
    "text-transform:none", "display:inline!important", "-webkit-text-stroke-width:0px", "foo:none", "foo:unset",
    "z-index:1",
    "-qt-block-indent:0", "-qt-paragraph-type:empty", "--darkreader-inline-color:#e8e6e3", "color:var(--x,#000)",
    "color:var(--x, rgb(1, 2, 3))", "font-family:a, 'b;c'", "outline:0", "box-shadow:none", "mask:none",
    "margin:13px 0;margin-top:0", "display:block;;", "text-decoration:none;text-decoration-color:initial",
    "orphans:2", "unicode-bidi:isolate", "font:12.0px Helvetica;color:#000000;-webkit-text-stroke:#000000",
)  # fmt: skip


@pytest.mark.parametrize("style", HIDDEN)
def test_what_is_surely_hidden_is_not_there(style: str) -> None:
    assert html_text(f'<p style="{style}">a</p><p>b</p>').strip() == "b"
    assert read(f'<div style="{style}">No, wait: reject this.</div><p>Approved</p>').verdict == "approve"


@pytest.mark.parametrize("style", [*DOUBTFUL, *MOVING])
def test_what_may_not_be_shown_gives_no_yes_and_counts_for_a_no(style: str) -> None:
    assert read(f'<div style="{style}">Approved</div>').verdict == "none"
    assert read(f'<p><span style="{style}">Not </span>Approved</p>').verdict in ("none", "reject")
    assert read(f'<p>Approved</p><div style="{style}">No, wait: reject this.</div>').verdict == "none"
    assert read(f'<p>Rejected</p><div style="{style}">use the replica</div>').comment == "use the replica"


@pytest.mark.parametrize("style", MOVING)
def test_what_may_stand_over_something_else_puts_all_of_it_in_doubt(style: str) -> None:
    assert read(f'<p>Approved</p><div style="{style}">Hello</div>').verdict == "none"


@pytest.mark.parametrize("style", SHOWN)
def test_what_is_styled_as_clients_do_is_shown(style: str) -> None:
    assert html_text(f'<p style="{style}">a</p>') == "a"
    assert read(f'<p style="{style}">Approved</p>').verdict == "approve"


@pytest.mark.parametrize(
    ("sheet", "verdict"),
    [
        (".x{color:red}", "approve"),
        (".x{display:none}", "none"),
        ("#i{display:none}", "none"),
        ("p{display:none}", "none"),
        (".X{display:none}", "none"),
        ("@media print{.x{display:none}}", "none"),
        ("@media print{b{color:red}.x{display:none}}", "none"),
        (".x:hover{display:none}", "none"),
        ("div .x{display:none}", "none"),
        ("div>.x:not(.y){display:none}", "none"),
        ("section .x{display:none}", "none"),
        ("[data-ogsc] .x{color:#fff!important}", "none"),
        (".x::before{content:'not'}", "none"),
        ("::before{content:'not'}", "none"),
        ("html::before{content:'not'}", "none"),
        (":root{display:none}", "none"),
        ("body{display:flex}", "none"),
        ("*{font-size:0}", "none"),
        ("div{font-size:.4em}p{font-size:.4em}", "none"),
        ("div{color:#fff;background:#000}p{background:#fff}", "none"),
        ("div{color:#fff;background:#000}", "none"),
        ("p{background:#000}", "none"),
        ("@media (prefers-color-scheme:dark){body{background:#111!important;color:#eee!important}}", "approve"),
        (":root{color-scheme:light dark;supported-color-schemes:light dark}", "approve"),
        ("[class]{display:none}", "none"),
        (".\\78{display:none}", "none"),
        (".y{display:none}", "approve"),
        ("p,.1{display:none}", "none"),
        (".y{color:black;@media screen{display:none}}", "none"),
        (".y{& ~ div{display:none}}", "none"),
        ("q," * 2_000 + "p{display:none}", "none"),
        (".y{(}", "approve"),
        (".y{", "approve"),
        (".y{color:red}; .x{display:none}", "none"),
        ("@import 'y';", "none"),
        ("@counter-style y{symbols:'Not '}", "none"),
        ("@font-face{font-family:y;src:url(data:font/woff,x)}", "none"),
        ("@namespace url(y);.y{color:red}", "none"),
        ('.y{content:"/*"}.x{display:none}.y{content:"*/"}', "none"),
        (".y{background:url(/*)}.x{display:none}.y{background:url(*/)}", "none"),
        ("p{display:block;margin:13px 0}", "approve"),
        ("p{display:inline}", "none"),
        ("title{display:block}", "approve"),
        ('p, li { white-space: pre-wrap; } li.y::marker { content: "\\2610"; }', "approve"),
        ("@font-face{font-family:x;src:url(y)}", "none"),
        ("@font-face{font-family:x;panose-1:2 4}@page z{size:a4}@list l0:level1{mso-level-text:\\F0B7}", "approve"),
        ("/* .x{display:none} */", "approve"),
        ("<!-- .x{color:red} -->", "approve"),
        ("x" * 100_001, "none"),
    ],
)
def test_a_style_sheet_never_makes_text_readable_nor_hides_it_surely(sheet: str, verdict: str) -> None:
    html = f"<title>t</title><style>{sheet}</style><div><p class=x id=i>Approved</p></div>"
    assert read(html).verdict == verdict


@pytest.mark.parametrize(
    "html",
    [
        "<!-->a",
        "<!--->a",
        "<!-- --!>a",
        "<!-- a",
        "<textarea>a</textarea>",
        "<xmp>a</xmp>",
        "<plaintext>a",
        "<style>a",
        "<script><!--</script>a",
        "<details>a</details>",
        "<div><s></div>a",
        "<img alt=a>",
        "<a b='>a",
        "<p><!--[if !mso]><!-->a<!--<![endif]-->",
        "<p><![if !mso]>a<![endif]>",
        "<head>a</head>",
    ],
)
def test_what_programs_read_differently_gives_no_yes(html: str) -> None:
    assert read(html.replace(">a", ">Approved")).verdict == "none"


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(Unreadable):
        html_text("&#" + "1" * 9_000 + ";")


@pytest.mark.parametrize(
    "html",
    [
        "<div\xa0hidden>Rejected</div><p>Approved",
        "<div\x0bhidden>Rejected</div><p>Approved",
        '<div style="display:\u2028none">Rejected</div><p>Approved',
        "<bloc\u212aquote>Rejected</bloc\u212aquote><p>Approved",
        "<span hidden=until-found>Not </span>Approved",
        '<span hidden style="all:unset">Not </span>Approved',
        "<style>[hidden]{display:inline}</style><span hidden>Not </span>Approved",
        "<style>span{display:inline}</style><span hidden>Not </span>Approved",
        '<del style="text-decoration:none">Not </del>Approved',
        "<style>s{text-decoration:none}</style><s>Not </s>Approved",
        '<s><span style="display:inline-block">Not </span></s>Approved',
        "<s><table><tr><td>Not</table></s>Approved",
        "<span style='visibility:hidden'><b style='visibility:initial'>Not </b></span>Approved",
        "<div style='font-size:0'><div style='font-size:initial'>Rejected</div></div><div>Approved</div>",
        "<style media=print>span{display:none}</style><span>Not </span>Approved",
        "<style type=text/plain>span{display:none}</style><span>Not </span>Approved",
        "<template><style>span{display:none}</style></template><span>Not </span>Approved",
        "<style>/* </style><style>p{display:none}</style><p>Approved</p>",
        "<link rel=stylesheet href='data:text/css,div{display:none}'><div>Approved</div>",
        "<style>head,title{display:block}</style><title>Not</title>Approved",
        "<style>br{display:none}</style>Approved<br>not yet",
        "Approved<br hidden>not yet",
        "Approved<div style='display:inline-flex'>not yet</div>",
        "<style>div{display:inline}</style>Approved<div>not yet</div>",
        "<body>Approved<body hidden>",
        "<p>Approved<html style='display:none'>",
        "Approved<body text=white>",
        "<body link=white><a href=x>Approved</a>",
        "<div style='background:#00e'><a href=x>Approved</a></div>",
        "<div hidden=until-found>Approved</div>",
        "<font face=Wingdings>Approved</font>",
        "<font face='Wingdings,Arial'>Approved</font>",
        "<font face=' Wingdings '>Approved</font>",
        "<span style=\"font-family:'Wingdings 2'\">Approved</span>",
        "<font face='Zapf Dingbats'>Approved</font>",
        "<span style='mso-font-width:1%'>Approved</span>",
        "<span style='mso-ansi-font-size:1pt'>Approved</span>",
        "<span style='mso-style-textfill-fill-color:white'>Approved</span>",
        "<style>.h{display:none}</style><p class='" + "a " * 600 + "h'>Approved</p>",
        "<style>#" + "i" * 150 + "{display:none}</style><p id=" + "i" * 150 + ">Approved</p>",
        "<style>[title='] .x']{display:none}</style><p title='] .x'>Approved</p>",
        "<style>:not([title=') .x']){display:none}</style><p>Approved</p>",
        "<style>h1:is(.x) + [title]{display:none}</style><h1 class=x></h1><p title=t>Approved</p>",
        "<link rel='" + " " * 120 + "stylesheet' href=x><p>Approved</p>",
        "<span style='font-family:Wingdings'>Approved</span>",
        "<span style=\"font-family:'Symbol'\">Approved</span>",
        "<div style='background:url(no.png);height:90px'></div><p>Approved</p>",
        "<table><tr><td background=no.png height=90></td></tr></table><p>Approved</p>",
        "<ul style='list-style-image:url(no.png)'><li></li></ul><p>Approved</p>",
        "<img width=1 height=1 style='width:200px;height:100px' src=no.png><p>Approved</p>",
        "<style>img{width:200px}</style><img width=1 height=1 src=no.png><p>Approved</p>",
        "<style>img{display:inline!important}</style><img style='display:none' src=no.png><p>Approved</p>",
        "<div style='background:rgba(0,0,0,.1)'>" * 20 + "Approved",
        "<small><small><small>Approved</small></small></small>",
        "<i style='font-size:.9em'>" * 9 + "Approved",
        "<i style='font:.9em a'>" * 9 + "Approved",
        "<style>p{color:#000}</style><div style='color:#fff;background:#000'><p>Approved</p></div>",
        "<style>@media(prefers-color-scheme:light){div{color:#fff}}</style><div>Approved</div>",
        "<style>@media(prefers-color-scheme:dark),all{div{color:#fff}}</style><div>Approved</div>",
        "<style>a,b{color:red}" + "q," * 3_000 + "p{display:none}</style><p>Approved</p>",
        "<img alt='Do not' width=1 height=1>Approved",
        "<table><col style='visibility:collapse'><tr><td>Approved</table>",
        "<!--[if mso]>Not<![endif]-->Approved",
        "<p>Approved<!--[if mso]> not yet<![endif]--></p>",
        "<head><!--[if mso]--></head><p>Approved</p>",
        "<noscript>Approved</noscript>",
        "<div bgcolor=black><font color=white>Approved</font></div>",
        "<font color=inherit>Approved</font>",
        "<div style='color:white;background:black'><table><tr><td>Approved</table></div>",
        "<meta name=color-scheme content=dark><div style='color:#121212'>Approved</div>",
        "<div popover>Approved</div>",
        "<div><template shadowrootmode=open>Rejected</template>Approved</div>",
        "<optgroup label=Not></optgroup>Approved",
        "<object data='data:text/plain,Not'></object>Approved",
        "<frameset><frame src=x></frameset>Approved",
        "<image alt=Not>Approved",
        "<head><noscript>Not</noscript></head><body>Approved",
        "Approved<table align=left><tr><td>Not</table>",
        "<svg hidden><text y=20>Not</text></svg>Approved",
        "<svg><text y=20 hidden>Not</text></svg>Approved",
        "<span>Approved</span><div style='float:left'>Not</div>",
        "<table><tr><td>Approved</td></tr><caption>Not</caption></table>",
        "<table><tr><td>Approved</td></tr><thead><tr><td>Not</td></tr></thead></table>",
        "<table><tfoot><tr><td>Approved</td></tr></tfoot><tbody><tr><td>Not</td></tr></tbody></table>",
        "<table><tbody><tr><td>Approved</td></tr></tbody><div>Not!</div></table>",
        "<fieldset>Approved<legend>Not</legend></fieldset>",
        "<td hidden>Rejected</td><div>Approved</div>",
        "<form>Approved<form>Not</form>",
        "<b><p>Approved</b> Not</p>",
        "<div>Approved</div><img style='margin-top:-30px' width=1 height=1>",
        "<div>Approved</div><hr style='margin-top:-30px'>",
        "<div>Approved</div><blockquote style='position:absolute;top:0'>Not</blockquote>",
        "<div>Approved</div>-- <br><div style='position:absolute;top:0'>Rejected</div>",
        "<div style='position:relative'><p>Approved</p><p style='position:absolute;top:0'>Not</p></div>",
        "<div align=right style='min-width:3000px'>Approved</div>",
        "<p style='margin-left:-20px'><span style='margin-left:-20px'>Approved</span></p>",
        "<p style='white-space:pre'>Approved\nnot</p>".replace("style='white-space:pre'", "class=x")
        + "<style>.x{white-space:pre}</style>",
    ],
)
def test_what_shows_something_else_is_no_plain_answer(html: str) -> None:
    assert read(html).verdict != "approve"


@pytest.mark.parametrize(
    "html",
    [
        "<span style='display:none'>Not </span>Approved",
        "<span hidden>Not </span>Approved",
        "<div>Approved<grammarly-extension data-x=1></grammarly-extension></div>",
        "<div bis_skin_checked=1 style='--tw-x:rgb(59 130 246/.5);white-space-collapse:preserve'>Approved</div>",
        "<div style='margin-block-start:0;padding-inline-start:40px'>Approved</div>",
        "<style style='display:none'>p{display:block}</style><p>Approved</p>",
        "<style type=text/css style='display:none;'> P {margin-top:0;margin-bottom:0;} </style><p>Approved</p>",
        "<p>Approved</p><blockquote><p style='margin-top:-9px'>On</p><table>x</table></blockquote>",
        "<p>Approved</p><p>-----Original Message-----</p><div style='foo:bar'>x</div>",
        "<div>Approved</div><div style='float:left'>Grace</div>",
        "<div>Approved</div><table align=left><tr><td>Grace</table>",
        "<p>Approved</p><html><body bgcolor='#ffffff' text='#000000'>x",
        "<body text=#000000 link=#0563C1><p>Approved</p>",
    ],
)
def test_what_is_plainly_shown_is_read(html: str) -> None:
    assert read(html).verdict == "approve"


@pytest.mark.parametrize(
    "mark",
    ["id=Signature", "class=k9mail-signature", "id=composer_signature", "name=messageSignatureSection",
     "class=x_gmail_signature", "class=bloop_sign", "class='a protonmail_signature_block-user'"],
)  # fmt: skip
def test_a_container_named_after_a_signature_is_one(mark: str) -> None:
    assert html_text(f"Approved<div {mark}>Grace</div>") == "Approved\n-- \nGrace"


@pytest.mark.parametrize(
    "html",
    [
        '<p style="' + "q:;" * 1_300 + '">x',
        '<p style="' + "color:#123456;" * 280 + '">x',
        "<p" + " a" * 500_000 + ">x",
        pytest.param("<p a b c d e f g h i j k l m n o p q r s t u v w>x", marks=pytest.mark.whole),
        "<p a a a a a>x",
        "<p style='color:#",
        "<p hidden><i style='color:red'>x",
        "<div style='background:rgba(0,0,0,.1)'>x",
        "<style>" + "p{color:red}" * 80 + "</style>",
        "<style>" + "(" * 900 + "</style>",
        "<style>" + "a[" * 900 + "</style>",
        "<style>/*" + "*" * 900 + "</style>",
        '<p style="' + "a:((" * 900 + '">x',
        '<p style="' + "a:!! " * 900 + '">x',
        pytest.param('<table align=left style="position:relative">x', marks=pytest.mark.whole),
        "<p id='color:#' style='--a:1'>x<i style='" + "".join(f"--{n:x}:1;" for n in range(400)) + "'>",
        "<style>" + "".join(f"p{{--{n:x}:1}}" for n in range(90)) + "</style><p style='--a:1'>x",
    ],
)
def test_however_it_is_made_it_is_read_soon(html: str) -> None:
    for share in (1, 20):
        text = "".join(html.replace("color:#", f"color:#{n:06x}") for n in range(limits.LARGEST_TEXT // len(html) + 1))
        begin = time.process_time()
        for _ in range(share):
            html_text(text, share)
        assert time.process_time() - begin < 10  # many times what it takes on an idle machine
