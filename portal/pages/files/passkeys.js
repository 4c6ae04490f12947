"use strict";
// Fills a form with what the person's device says, and sends it. Without this script the form says what is missing.
const offered = window.PublicKeyCredential?.parseCreationOptionsFromJSON;

async function said(purpose) {
  const reply = await fetch("/passkeys/options", { method: "POST", body: new URLSearchParams({ purpose }) });
  if (!reply.ok) return ""; // the reply to the form says why
  const options = await reply.json();
  const made = purpose === "add"
    ? navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
    : navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  return JSON.stringify((await made).toJSON());
}

for (const form of document.querySelectorAll("form[data-passkey]"))
  form.addEventListener("submit", async (event) => {
    if (!offered) return;
    event.preventDefault();
    try {
      form.elements.credential.value = await said(form.dataset.passkey);
      form.submit();
    } catch (error) {
      form.querySelector("[role=alert]").textContent = "That did not work: " + error.message;
    }
  });
