SELECT subject, state FROM subjects WHERE subject = ANY (%s::text[])
