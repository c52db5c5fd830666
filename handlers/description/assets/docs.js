// Shows the description that stands beside this page, as the caller of a token sees it. The token is kept in the memory
// of the page and goes nowhere but to this server.
"use strict";

const explorer = document.querySelector("openapi-explorer");
const said = document.querySelector("#said");

async function show(token) {
  said.textContent = "";
  try {
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const answer = await fetch("openapi.json", { headers, credentials: "omit" });
    const body = await answer.json();
    if (!answer.ok) {
      throw new Error(`${body.code}: ${body.message}`);
    }
    document.title = body.info.title;
    await customElements.whenDefined("openapi-explorer");
    await explorer.loadSpec(body);
    if (token) {
      explorer.setAuthenticationConfiguration("bearer", { token });
    }
  } catch (error) {
    said.textContent = error.message;
  }
}

document.querySelector("#caller").addEventListener("submit", (event) => {
  event.preventDefault();
  show(document.querySelector("#token").value.trim());
});

show("");
