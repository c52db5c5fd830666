// Opens the documentation page as a person does, first without and then with a token. Prints what was seen as JSON.
// Arguments: the browser, the address of the page, a token.
import { chromium } from "playwright-core";

const [browserPath, address, token] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
const seen = { requests: [], complaints: [], guest: "", caller: "", opened: "", refused: "" };
try {
  const page = await browser.newPage();
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("console", (message) => message.type() === "error" && seen.complaints.push(message.text()));
  page.on("pageerror", (error) => seen.complaints.push(String(error)));
  // Everything that is shown, inside the renderer's own roots as well.
  const shown = () =>
    page.evaluate(() => {
      const text = (root) =>
        [...root.querySelectorAll("*")]
          .map((element) => (element.shadowRoot ? text(element.shadowRoot) : ""))
          .concat([...root.childNodes].filter((node) => node.nodeName !== "STYLE").map((node) => node.textContent))
          .join("\n");
      return text(document.querySelector("openapi-explorer").shadowRoot);
    });
  await page.goto(address);
  await page.getByText("Rows of works", { exact: true }).first().waitFor();
  seen.guest = await shown();
  await page.getByLabel("Access token or API token").fill(token);
  await page.getByRole("button", { name: "Show what it may use" }).click();
  await page.getByText("Rows of members", { exact: true }).first().waitFor();
  seen.caller = await shown();
  await page.getByText("Rows of works", { exact: true }).first().click();
  await page.getByText("composer").first().waitFor();
  seen.opened = await shown();
  const before = seen.complaints.length;
  await page.getByLabel("Access token or API token").fill("vlt_no_such_token");
  await page.getByRole("button", { name: "Show what it may use" }).click();
  await page.locator("#said:not(:empty)").waitFor();
  seen.refused = await page.locator("#said").textContent();
  // The browser itself reports that answer.
  seen.complaints.splice(before);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
