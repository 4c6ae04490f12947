"""The page of client certificates, with a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from engine.credentials.client_certificates import ClientCertificates
from tests.authority import Authority
from tests.portal.pages.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_admin_trusts_revokes_and_removes_without_scripts(site: Site, tmp_path: Path) -> None:
    authority = Authority("Of <b>the</b> page")
    presented, lost = authority.issue("laptop-7"), authority.issue("laptop-8")
    (tmp_path / "ca.pem").write_text(authority.pem)
    (tmp_path / "ca.crl").write_text(authority.revocation_list(lost))
    ada = await site.signed_in("ada", "/", java_script_enabled=False)
    await ada.locator("summary", has_text="Administration").click()
    await ada.get_by_role("link", name="Certificates").click()
    await expect(ada.locator(".takes-away")).to_contain_text("COUNTERSIGN_TLS_PROXIES")
    await ada.get_by_label("Its certificate, or those of several").set_input_files(tmp_path / "ca.pem")
    await ada.get_by_label("Host names").fill("access.example.com, VPN.example.com")
    await ada.get_by_role("button", name="Trust it").click()
    card = ada.locator(".card", has_text=r"CN=Of \<b\>the\</b\> page")
    await expect(card).to_contain_text("For access.example.com, vpn.example.com")
    await ada.get_by_label("A list (CRL)").set_input_files(tmp_path / "ca.crl")
    await ada.get_by_role("button", name="Upload the list").click()
    await expect(card).to_contain_text("1 revoked. Upload the next one by")
    for one in (presented, lost):
        ClientCertificates(site.store).check(one.der, "vpn.example.com", "192.0.2.7")
    await card.get_by_label("serial number").fill(presented.serial)
    await card.get_by_role("button", name="Revoke a certificate").click()
    line = ada.locator(".line", has_text=presented.serial)
    await expect(line).to_contain_text("laptop-7")
    await expect(line.locator(".status")).to_have_text("Revoked")
    await expect(ada.locator(".line", has_text=lost.serial)).to_have_count(0)
    await card.get_by_role("button", name="Remove").click()
    await expect(card).to_have_count(0)
    await expect(line).to_have_count(1)


async def test_what_is_wrong_is_said_and_others_see_nothing(site: Site, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("a text")
    ada = await site.signed_in("ada", "/certificates")
    await ada.get_by_label("Its certificate, or those of several").set_input_files(tmp_path / "ca.pem")
    await ada.get_by_label("Host names").fill("https://access.example.com")
    await ada.get_by_role("button", name="Trust it").click()
    await expect(ada.locator("main")).to_contain_text("is not a host name")
    await ada.goto("/certificates")
    await ada.get_by_label("Its certificate, or those of several").set_input_files(tmp_path / "ca.pem")
    await ada.get_by_label("Host names").fill("access.example.com")
    await ada.get_by_role("button", name="Trust it").click()
    await expect(ada.locator("main")).to_contain_text("It holds no certificate that can be read")
    alice = await site.signed_in("alice", "/certificates")
    await expect(alice.locator("main")).to_contain_text("Only an admin may do this.")
    await expect(alice.get_by_role("link", name="Certificates")).to_have_count(0)
