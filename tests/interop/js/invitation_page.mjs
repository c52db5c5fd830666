// Follows an invitation's link as a person does whose browser runs no script. Prints what was seen as JSON.
// Arguments: the browser, the link, an address, the folder the mails are in.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [browserPath, link, email, mails] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
const seen = { requests: [], complaints: [], invited: "", asked: "", wrong: "", joined: "" };
try {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("console", (message) => message.type() === "error" && seen.complaints.push(message.text()));
  const body = () => page.locator("body").innerText();
  await page.goto(link);
  seen.invited = await body();
  await page.getByLabel("Your e-mail address").fill(email);
  await page.getByRole("button", { name: "Send me a code" }).click();
  await page.getByLabel("The six digits").waitFor();
  seen.asked = await body();
  const told = readdirSync(mails, { recursive: true })
    .filter((name) => name.endsWith(".eml"))
    .map((name) => readFileSync(join(mails, name), "utf8"))
    .filter((text) => text.includes(`To: ${email}`));
  const code = /^Subject: (\d{6})/m.exec(told.at(-1))[1];
  await page.getByLabel("The six digits").fill(code === "000000" ? "111111" : "000000");
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("link", { name: "Another code" }).waitFor();
  seen.wrong = await body();
  // The browser itself reports that answer.
  seen.complaints.splice(0);
  await page.getByLabel("The six digits").fill(code);
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByText("You are a member").waitFor();
  seen.joined = await body();
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
