module libelle.test/programs

go 1.19
