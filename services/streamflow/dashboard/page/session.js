// Who is signed in: the token, what it says of its bearer, and the form that asks for one.

import { Api, ApiError } from "./api.js";
import { byId, showProblem } from "./elements.js";

const KEPT = "streamflow.token";
const REFUSED = "streamflow.refused";

/** The token to begin with: the one entered before, in development the platform's own, else one that is asked for. */
export async function signIn() {
  // After a refusal nothing is tried by itself: what was refused would be refused for ever.
  const refused = sessionStorage.getItem(REFUSED);
  sessionStorage.removeItem(REFUSED);
  if (refused) return askForToken({ message: refused });
  const kept = sessionStorage.getItem(KEPT);
  if (kept) return kept;
  try {
    return (await new Api(null, () => {}).get("token")).token;
  } catch (error) {
    return askForToken(error.status === 404 ? null : error);
  }
}

/** Begin anew without the token; the form says why, where there is a reason. */
export function signOut(reason) {
  sessionStorage.removeItem(KEPT);
  if (reason) sessionStorage.setItem(REFUSED, reason);
  location.reload();
}

/** Whether there is something to sign out of. */
export function wasEntered() {
  return sessionStorage.getItem(KEPT) !== null;
}

/** What the token says of its bearer. Only the platform can tell whether that is true. */
export function bearer(token) {
  try {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return { name: String(claims.sub ?? ""), mayWrite: claims.role === "write" };
  } catch {
    return { name: "", mayWrite: false };
  }
}

/** Ask for a token until the platform takes one, and keep that. */
function askForToken(error) {
  const place = byId("sign-in");
  const form = place.querySelector("form");
  const field = byId("token");
  const problem = form.querySelector(".problem");
  place.hidden = false;
  showProblem(problem, error);
  field.value = "";
  field.focus();
  return new Promise((resolve) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      const token = field.value.trim().replace(/^bearer\s+/i, "");
      try {
        // A header takes no other characters, and no token has them.
        if (!/^[\x21-\x7e]+$/.test(token)) throw new ApiError(0, { message: "This is no token." });
        await new Api(token, () => {}).get("dashboards");
      } catch (refusal) {
        showProblem(problem, refusal);
        field.select();
        return;
      }
      sessionStorage.setItem(KEPT, token);
      place.hidden = true;
      resolve(token);
    };
  });
}
