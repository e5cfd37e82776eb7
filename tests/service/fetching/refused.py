"""What must not get through: addresses that a resolver may answer, and spellings that a URL may hold."""

from __future__ import annotations

PRIVATE_ADDRESSES = [
    # IPv4 by block: first, last or best known
    *("0.0.0.0", "0.255.255.255", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255"),
    *(
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
    ),
    *("192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "192.175.48.1"),
    *("198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("255.255.255.255", "192.31.196.1", "192.52.193.1"),
    # IPv6
    *("::", "::1", "100::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1"),
    *("2001:db8::1", "3fff::1", "2001:2::1", "2001:10::1", "2001:20::1", "4000::1", "5f00::1", "2620:4f:8000::1"),
    # IPv4 within IPv6, private or not
    *("::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8"),
    *("::ffff:0:127.0.0.1", "::127.0.0.1", "::7f00:1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::8.8.8.8"),
    *("64:ff9b:1::10.0.0.1", "2002:7f00:1::1", "2002:a9fe:a9fe::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001::1"),
    # what no resolver should answer
    *("", "localhost", "127.1", "0177.0.0.1", "010.0.0.1", "0x7f.0.0.1", "2130706433", "1.1.1.1 ", "1.1.1.1%eth0"),
    *("[::1]", "::1%", "2606:4700::1111%eth0", "１.1.1.1", "1.1.1", "1.1.1.1.1", "1.1.1.256"),
]
ADDRESSES_AS_HOSTS = [
    # dotted, decimal, octal, hexadecimal, short, mixed, with dots at the end
    *("127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "255.255.255.255", "8.8.8.8"),
    *("2130706433", "3232235777", "0", "017700000001", "0177.0.0.1", "0177.0.0.01", "0x7f000001", "0x7f.0.0.1"),
    *("0x7f.0x0.0x0.0x1", "0X7F000001", "127.1", "127.0.1", "0x7f.1", "1.0x7f", "0x", "127.0.0.1.", "2130706433."),
    *("00000177.1", "4294967296", "127.0.0.256", "300.1.1.1", "1.2.3.4.5", "media.example.org.1"),
    # IPv6
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]"),
    *("[fe80::1%25eth0]", "[fe80::1%eth0]", "[fd00:ec2::254]", "[2002:7f00:1::]", "[::127.0.0.1]", "[v1.a]", "::1"),
    # percent-encoded, full-width, circled, superscript, other full stops, invisible
    *("%31%32%37.0.0.1", "127%2e0%2e0%2e1", "%6c%6f%63%61%6chost", "１２７.０.０.１", "127。0。0。1", "127．0．0．1"),
    *(
        "①②⑦.⓪.⓪.①",
        "127｡0｡0｡1",
        "１２７.1",
        "０ｘ７ｆ.1",
        "２１３０７０６４３３",
        "¹²⁷.⁰.⁰.¹",
        "127.0.0.1\u200b",
        "127.0.0.\u00ad1",
    ),
]
NAMES_OFF_THE_LIST = [
    *("localhost", "localhost.", "LOCALHOST", "localhost.localdomain", "ip6-localhost", "metadata.google.internal"),
    *("127.0.0.1.nip.io", "kubernetes.default.svc.cluster.local", "example.org", "xmedia.example.org"),
    *("sub.media.example.org", "media.example.org.evil.test", "evil.test", "mediaXexample.org", "media-example.org"),
    *("ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "media.example.org:8443", "media.example.org:80", "media.example.org:0", "media.example.org:99999"),
]
WRONG_URLS = [
    # other schemes, or no authority
    *("http://media.example.org/", "ftp://media.example.org/", "file:///etc/passwd", "gopher://media.example.org/"),
    *("https:media.example.org", "https:/media.example.org/", "https:///media.example.org/", "//media.example.org/"),
    *("https://", "https:\\\\media.example.org", " https://media.example.org/"),
    # credentials, and what looks like one host to some and like another to others
    *("https://user@media.example.org/", "https://user:pass@media.example.org/", "https://@media.example.org/"),
    *("https://media.example.org@127.0.0.1/", "https://127.0.0.1#@media.example.org/"),
    *("https://media.example.org%2f@x/", "https://media.example.org\\@127.0.0.1/"),
    "https://127.0.0.1\\.media.example.org/",
    # control characters and spaces
    *("https://media.example.org/a\r\nHost: x", "https://media.example.org/\x00", "https://media.example.org\t/"),
    *("https://media.example.org/a b", "https://media.example.org/\ud800", "https://\udfff.example.net/"),
    # ports
    *("https://media.example.org:/", "https://media.example.org:44 3/", "https://media.example.org:443:443/"),
    *("https://media.example.org:٤٤٣/", "https://media.example.org:-443/", "https://media.example.org:000443/"),
    # names
    *(
        "https://media..example.org/",
        "https://.media.example.org/",
        "https://-a.example.net/",
        "https://a_b.example.net/",
    ),
    *("https://media.example.org../", f"https://{'a' * 64}.example.net/", f"https://{'a.' * 130}example.net/"),
    *("https://a\u2044.example.net/", "https://.example.net/", "https://example.net/", "https://*.example.net/"),
]
REDIRECTS = [
    *("http://media.example.org/", "https://evil.test/", "//evil.test/", "https://user:pass@media.example.org/"),
    *("https://media.example.org:8443/", "file:///etc/passwd", "ftp://media.example.org/", "\\\\evil.test/"),
    *("https:\\\\evil.test", "https://localhost/", "//127.0.0.1/", "https://[::1]/", "javascript:alert(1)"),
    *("data:text/plain,x", "//[", "https://[", "/\\evil.test/", "https://evil.test\\.media.example.org/"),
]
WRONG_ENTRIES = [
    *("127.0.0.1", "[::1]", "*", "*.org", "*.", "https://media.example.org", "media.example.org/path", "a b", "x:0"),
    *("x:70000", "user@media.example.org", "*.*.example.org", "media.*.org", "2130706433", "*.127.0.0.1", "a..b"),
]
