// The token stands behind the "#", which no server is sent. It is moved into the form, taken out of the address and the
// history, and posted to this host alone.
const form = document.querySelector("form");
const brought = new URLSearchParams(location.hash.slice(1));
const token = brought.get(form.dataset.parameter);
const error = brought.get("error");
history.replaceState(null, "", location.pathname);
if (token || error) {
  form.elements.token.value = token ?? "";
  form.elements.error.value = error ?? "";
  form.submit();
}
