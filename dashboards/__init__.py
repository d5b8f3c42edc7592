"""Tables to pictures: the Streamlit app and its queries."""
